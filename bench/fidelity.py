"""`python -m bench.fidelity`: how much of Stripe the sandbox plays, and where it differs.

Each part counts and lists its faults. The command fails where there is one.
"""

import asyncio
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bench import sdk_examples
from sandbox import calls
from sandbox.schema import Published, Route
from tests.harness import KEY
from tests.npm.install import find_cli
from tests.sandbox import agreement
from tests.sandbox.alone import run_alone
from tests.sandbox.parameter_effects.engine import look
from tests.sandbox.parameter_effects.scenes import SCENES
from tests.sandbox.recorded.accounts import accounts
from tests.sandbox.recorded.changelog import ENTRIES, hidden
from tests.sandbox.recorded.differences import RULES, reason
from tests.sandbox.recorded.replay import dialogues, replay
from tests.sandbox.recorded.test_recorded import RECORDED
from tests.stripe_cli.test_all_triggers import SCENARIOS, about_billing, offered

Json = dict[str, Any]
PAGING = frozenset({"limit", "starting_after", "ending_before", "expand"})
DEEPEST = 4
"""How deep parameters are counted; Stripe nests them no deeper."""
AT_ONCE = 4
CHANGES = 1000


@dataclass
class Part:
    """One line of the report."""

    name: str
    counts: dict[str, int]
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {name}" for name, count in self.counts.items())
        return f"{self.name:<20} {counts}"


def played_routes(published: Published) -> list[Route]:
    """The published calls that the sandbox has."""
    return [route for route in published.routes() if calls.handler(route.method, route.template)]


def published_calls(published: Published) -> Part:
    """Calls that Stripe publishes: what isn't played is refused by name."""
    count, played = len(published.routes()), len(played_routes(published))
    return Part("Calls", {"published": count, "played": played, "refused": count - played})


def leaves(published: Published, schema: Json, depth: int = 0) -> Iterator[tuple[str, Json]]:
    """Each parameter of a request, as a name and a form in which it is the only one."""
    schema = published.resolve(schema)
    if "anyOf" in schema:
        objects = [published.resolve(branch) for branch in schema["anyOf"]]
        found = [branch for branch in objects if branch.get("type") in ("object", "array")]
        schema = found[0] if found else {}
    if schema.get("type") == "array":
        for name, value in leaves(published, schema["items"], depth):
            yield name, {"0": value}
        return
    for name, inner in schema.get("properties", {}).items():
        yield name, {name: "x"}
        if depth < DEEPEST:
            for deeper, value in leaves(published, inner, depth + 1):
                listed = [value["0"]] if set(value) == {"0"} else value
                yield f"{name}[{deeper}]", {name: listed}


def parameters(published: Published) -> tuple[Part, Part]:
    """Published parameters, and filters of lists: what is played, what is refused."""
    counts = {"played": 0, "refused": 0}
    filters = {"played": 0, "refused": 0}
    for route in played_routes(published):
        known = calls.played(route)
        for name, form in leaves(published, published.request_schema(route)):
            top = name.partition("[")[0]
            if top in PAGING:
                continue
            refused = [path for path, value in known.unplayed(form) if value is None]
            part = filters if route.method == "GET" else counts
            part["refused" if refused else "played"] += 1
    return Part("Parameters", counts), Part("Filters", filters)


def effects(published: Published) -> Part:
    """Parameters that are declared as played: those whose effect is seen."""
    found = look(published, SCENES)
    return Part("Effects", dict(found.counts()), found.unseen())


@dataclass
class Recorded:
    """What a replay of the recordings came to: the part of the report, and a line for each rule
    that explains a difference and for each entry of the changelog."""

    part: Part
    lines: list[str] = field(default_factory=list)


async def recorded(published: Published) -> Recorded:
    """Recorded exchanges with Stripe, replayed."""
    if not RECORDED:
        faults = ["none here: set LATCHKEY_REFERENCE_DATA"]
        return Recorded(Part("Recorded exchanges", {}, faults))
    counts = {"agree": 0, "explained": 0, "left out": 0}
    rules: Counter[str] = Counter()
    entries: list[Json] = []
    faults = []
    known = {name: made for path in RECORDED for name, made in dialogues(path).items()}
    owners = accounts(known)
    for name, dialogue in known.items():
        entries += dialogue
        result = await replay(dialogue, published, owners[name])
        counts["left out"] += result.left_out
        for differences in result.each:
            reasons = [(found, reason(found)) for found in differences]
            unexplained = [found for found, why in reasons if why is None]
            faults += [f"{name}: {found.what} {found.where}" for found in unexplained]
            if not unexplained:
                rules.update({why for _, why in reasons if why})
                counts["explained" if differences else "agree"] += 1
    lines = [f"{rules[one.name]:>6} {one.name}: {one.meaning} ({one.address})" for one in RULES]
    left_out, _ = hidden(published, entries)
    lines += [
        f"{count:>6} {name}: {ENTRIES[name].version}, {ENTRIES[name].title}"
        f" ({ENTRIES[name].address})"
        for name, count in sorted(left_out.items(), key=lambda one: ENTRIES[one[0]].version)
    ]
    return Recorded(Part("Recorded exchanges", {**counts, "faults": len(faults)}, faults), lines)


async def _run(program: Path, home: str, *arguments: str) -> tuple[int, str]:
    environment = os.environ | {"HOME": home, "STRIPE_CLI_TELEMETRY_OPTOUT": "1"}
    process = await asyncio.create_subprocess_exec(
        str(program),
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode or 0, output.decode()


async def triggers() -> Part:
    """Every trigger of the Stripe CLI: whether it succeeds, and its event is sent."""
    program = find_cli()
    if program is None:
        return Part("Triggers", {}, ["no Stripe CLI: run `python -m tests.npm.install`"])
    slots = asyncio.Semaphore(AT_ONCE)
    succeeded, emitted, failed = 0, 0, []
    with run_alone() as sandbox, tempfile.TemporaryDirectory() as home:
        async with httpx.AsyncClient(base_url=sandbox.url) as client:
            settings = {"delayed_seconds": 0.1, "dunning_ends": "past_due", "expiring_days": 9}
            await client.post("/_sandbox/settings", json=settings)
            _, text = await _run(program, home, "trigger", "--help")
            names = offered(text)

            async def fire(name: str) -> tuple[str, bool, bool]:
                async with slots:
                    target = ("--api-base", sandbox.url, "--api-key", KEY)
                    status, _ = await _run(program, home, "trigger", name, *target)
                    wanted = {"type": SCENARIOS.get(name, name)}
                    for _ in range(50):
                        found = await client.get("/_sandbox/events", params=wanted)
                        if found.json()["data"] or status:
                            break
                        await asyncio.sleep(0.1)
                    return name, status == 0, bool(found.json()["data"])

            for name, good, sent in await asyncio.gather(*map(fire, names)):
                succeeded += good
                emitted += good and sent
                if not good:
                    failed.append(name)
    counts = {
        "of": len(names),
        "about billing": len(about_billing(names)),
        "succeed": succeeded,
        "send their event": emitted,
    }
    print("Triggers that fail:", ", ".join(sorted(failed)) or "none", file=sys.stderr)
    return Part("Triggers", counts)


def examples() -> Part:
    """The generated examples of Stripe's SDK."""
    with run_alone() as sandbox:
        counts, _ = sdk_examples.count(sandbox.url)
        faults = [f"HTTP {status}" for status in counts if status.startswith("5")]
        faults += sandbox.problems()
    return Part("Examples", {f"answer {kind}": count for kind, count in counts.items()}, faults)


def previews(published: Published) -> Part:
    """Generated changes of subscriptions: what was previewed, and what is billed then."""
    found = agreement.count(published, CHANGES)
    agreed = found.previewed - len(found.wrong)
    return Part("Previews", {"changes": found.previewed, "agree": agreed}, found.wrong)


async def main() -> int:
    published = Published()
    replayed = await recorded(published)
    parts = [
        published_calls(published),
        *parameters(published),
        effects(published),
        await triggers(),
        examples(),
        replayed.part,
        previews(published),
    ]
    for part in parts:
        print(part)
    print("Recorded exchanges that differ, by rule, and fields that a version lacks:")
    print("\n".join(replayed.lines))
    faults = [f"{part.name}: {fault}" for part in parts for fault in part.faults]
    for fault in faults:
        print(f"  {fault}")
    print(f"Faults: {len(faults)}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
