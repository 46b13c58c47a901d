"""Sends every parameter that a call plays, and looks for its effect.

A call is made on two copies of one account: with the parameter, and without it (or with another
value, where it is required). Time and chance stand still, so whatever differs is its effect: in the
answer, in what later calls show, or in what they show after the scene's next steps. A parameter
that changes nothing in any scene has no effect.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch
from urllib.parse import quote

import httpx
import orjson

from bench.sdk_examples import Made
from sandbox import calls, forms, world
from sandbox.buying import Buyer, pay
from sandbox.checkout import open_link
from sandbox.clock import do_due
from sandbox.played import ALWAYS, Played
from sandbox.schema import Published, Route
from sandbox.shop import StripeApiError
from tests.harness import Json
from tests.sandbox.inside import Inside
from tests.sandbox.parameter_effects.scenes import RECIPES, Scene
from tests.sandbox.parameter_effects.values import candidates, companions, described, key_for

DAY = 86400
NOON = 1_800_014_400
"""When all of it happens."""
Form = dict[str, str]


@dataclass(frozen=True)
class Leaf:
    """One parameter that a call plays, down to a plain value: its key in a form, the choices of its
    schema, and what else is required beside it."""

    key: str
    choices: tuple[Json, ...]
    needs: tuple[tuple[str, tuple[Json, ...]], ...]
    required: bool
    unseen: bool

    @property
    def name(self) -> str:
        """The key without the numbers of lists."""
        return re.sub(r"\[0\]", "", self.key)


def leaves_of(published: Published, route: Route) -> Iterator[Leaf]:
    """Every parameter that a call plays, but those that all calls play."""
    schema = published.request_schema(route)
    seen = set[str]()
    for leaf in _inside(published, schema, calls.played(route), "", (), False):
        if leaf.key not in seen:
            seen.add(leaf.key)
            yield leaf


Needs = tuple[tuple[str, tuple[Json, ...]], ...]


def _inside(
    published: Published, schema: Json, known: Played | None, key: str, needs: Needs, unseen: bool
) -> Iterator[Leaf]:
    for choice in published.alternatives(schema):
        if choice.get("type") == "array":
            yield from _inside(published, choice["items"], known, f"{key}[0]", needs, unseen)
            continue
        names: Json = dict(choice.get("properties") or {})
        other = choice.get("additionalProperties")
        if choice.get("type") == "object" and isinstance(other, dict) and not names:
            names = {"*": other}
        required = choice.get("required", ())
        for name, value in names.items():
            if not key and name in ALWAYS:
                continue
            more: Played | None = None
            hidden = unseen
            if known is not None:
                played, more = known.inner(name)
                if not played:
                    continue
                hidden = unseen or name in known.unseen
            word = key_for(key) if name == "*" else name
            here = f"{key}[{word}]" if key else word
            beside = tuple(
                (f"{key}[{one}]" if key else one, tuple(published.alternatives(names[one])))
                for one in required
                if one != name
            )
            choices = tuple(published.alternatives(value))
            if known is not None and name in known.values:
                choices = ({"enum": sorted(known.values[name])},)
            deeper = list(_inside(published, value, more, here, (*needs, *beside), hidden))
            plain = [one for one in choices if _is_plain(one)]
            yield from deeper
            if plain or (not deeper and not _is_empty(choices)):
                kept = tuple(plain) if deeper else choices
                yield Leaf(here, kept, (*needs, *beside), name in required, hidden)


def _is_plain(choice: Json) -> bool:
    """Whether a value is neither a list or object, nor the empty text that unsets."""
    structured = choice.get("type") in ("array", "object")
    return not structured and choice not in ({"const": ""}, {"enum": [""]})


def _is_empty(choices: tuple[Json, ...]) -> bool:
    """Whether nothing can be sent: an object without a name in it."""
    return not any(
        one.get("type") == "array" or bool(one.get("properties")) or _is_plain(one)
        for one in choices
    )


_ENTERED: Json = {
    "address": {"country": "DE", "city": "Bonn", "line1": "Way 1", "postal_code": "53111"},
    "shipping": {"name": "Buyer", "address": {"country": "US", "line1": "Way 2"}},
}
"""What the buyer enters where a page asks for it."""


@dataclass
class Outcome:
    """What one call came to, on an account of its own."""

    stage: "Stage"
    account: Inside
    status: int
    body: Json
    _objects: bytes = b""
    _later: bytes = b""

    def objects(self) -> bytes:
        """All that GET shows after the call."""
        self._objects = self._objects or _shown(self.account)
        return self._objects

    def later(self) -> bytes:
        """All that GET shows after the scene's next steps, and what these answer."""
        if not self._later:
            self.objects()
            said = [self._do(step) for step in self.stage.scene.steps]
            self._later = _shown(self.account) + orjson.dumps(said)
        return self._later

    def _do(self, step: str) -> Any:
        """One of the scene's next steps; what the call answered is `{made}`."""
        shop, made = self.account.shop, str(self.body.get("id"))
        word, *rest = self.stage.made.fill(step.replace("{made}", made)).split()
        match word:
            case "pay" | "open":
                more = {rest[1]: 3} if rest[1:] else {}
                entered = {**_ENTERED, "quantities": more} if more else _ENTERED
                buyer = Buyer("buyer@example.com", "Buyer", rest[0], entered=entered)
                if word == "pay":
                    session = shop.find("checkout.session", made)
                else:
                    session = open_link(shop, shop.find("payment_link", made))
                try:
                    return pay(shop, session, buyer)
                except StripeApiError as fault:
                    return fault.body
            case "wait":
                shop.world.shift(int(rest[0]) * DAY)
                return do_due(shop)
            case _:
                path, *pairs = rest
                form = dict(pair.split("=", 1) for pair in pairs)
                return self.account.ask(word, path.removeprefix("/v1/"), **form)


def _shown(account: Inside) -> bytes:
    tables = account.shop.world.tables
    seen = {kind: table.values() for kind, table in tables.items() if kind != "event"}
    return orjson.dumps(seen)


class _Client:
    """What recipes make their objects with."""

    def __init__(self, account: Inside) -> None:
        self.account = account

    def post(self, url: str, data: Form) -> httpx.Response:
        return self._answer("POST", url, data)

    def get(self, url: str) -> httpx.Response:
        path, _, query = url.partition("?")
        return self._answer("GET", path, dict(part.split("=") for part in query.split("&") if part))

    def _answer(self, method: str, url: str, form: Form) -> httpx.Response:
        status, body = self.account.ask(method, url.removeprefix("/v1/"), **form)
        return httpx.Response(status, json=body)


class Stage:
    """A scene that is ready to be played, on an account that has all that calls can name."""

    def __init__(self, published: Published, scene: Scene, account: Inside, made: Made) -> None:
        self.scene, self._published, self._account, self.made = scene, published, account, made
        for name in scene.before:
            made.id(name)
        self._path = made.fill(scene.path)
        route = published.match(scene.method, self._path)
        assert route is not None, scene
        self.route = route
        self.form = {key: made.fill(value) for key, value in scene.form}
        self._kept: dict[str, Outcome] = {}
        self.leaves = list(leaves_of(published, route))
        self._names = {leaf.key.partition("[")[0] for leaf in self.leaves}
        for step in scene.steps:
            made.fill(step.replace("{made}", ""))
        for leaf in self.leaves:
            self.prepare(leaf)

    def play(self, form: Form) -> Outcome:
        """What the call comes to with a form."""
        account = self._account.fork()
        try:
            status, body = account.ask(self.scene.method, self._path.removeprefix("/v1/"), **form)
        except Exception as error:
            message = f"{type(error).__name__} {error}"
            return Outcome(self, account, 500, {"error": {"message": message}})
        return Outcome(self, account, status, body)

    def without(self, form: Form) -> Outcome:
        """The same, kept for the next parameters."""
        known = str(sorted(form.items()))
        if known not in self._kept:
            self._kept[known] = self.play(form)
        return self._kept[known]

    def prepare(self, leaf: Leaf) -> list[Form]:
        """Forms with the parameter, each with another value."""
        form = dict(self.form)
        kind, within = described(leaf.key, self.route.template)
        if kind:
            form = {key: one for key, one in form.items() if not _within(key, within) or not within}
            form = {key: one for key, one in form.items() if within or not key.startswith("card[")}
            form |= {f"{within}[type]" if within else "type": kind}
            if within and "allowed_payment_method_types" in self._names:
                form |= {"allowed_payment_method_types[0]": kind}
        for key, value in companions(leaf.key, self.route.template):
            if not any(_within(one, key) for one in form) and not _within(leaf.key, key):
                form |= self._filled(key, value)
        for key, choices in leaf.needs:
            if not any(_within(one, key) for one in form):
                form |= self._filled(key, next(iter(candidates(self._published, key, choices))))
        rest = {key: value for key, value in form.items() if not _within(key, leaf.key)}
        values = candidates(self._published, leaf.key, leaf.choices)
        return [rest | self._filled(leaf.key, value) for value in values]

    def _filled(self, key: str, value: Any) -> Form:
        if isinstance(value, dict):
            inner = [self._filled(f"{key}[{name}]", one) for name, one in value.items()]
            return {name: text for one in inner for name, text in one.items()}
        return {key: self.made.fill(str(value))}

    def effect(self, leaf: Leaf) -> tuple[str, str]:
        """Where the effect of a parameter is: in the `answer`, `shown` by other calls, `later`
        after the scene's next steps, or `decided`, where the call does one value and refuses
        another. `fixed` where only one value is played, and every other refused. Else `none` or
        `fault`, with the reason."""
        if len(leaf.choices) == 1 and len(leaf.choices[0].get("enum", ())) == 1:
            return "fixed", ""
        tried = self._forms(leaf)
        base, sound = self._base(leaf, tried)
        good: list[Outcome] = []
        said = ""
        for form in tried:
            outcome = self.play(form)
            if outcome.status >= 500:
                return "fault", str(outcome.body["error"]["message"])
            if outcome.status != 200:
                said = str(outcome.body["error"]["message"])
            elif base is None:
                base = outcome
            else:
                good.append(outcome)
                if outcome.body != base.body:
                    return "answer", ""
        if base is None or base.status != 200:
            return "none", f"refused: {said or (base and base.body['error']['message'])}"
        if any(one.objects() != base.objects() for one in good):
            return "shown", ""
        if self.scene.steps and any(one.later() != base.later() for one in good):
            return "later", ""
        return ("decided" if said and sound else "none"), said

    def _base(self, leaf: Leaf, tried: list[Form]) -> tuple[Outcome | None, bool]:
        """The call without the parameter, or as the scene has it; None where it is required, or
        where what is sent beside it differs. And whether a refusal then is the parameter's."""
        if leaf.required:
            return None, True
        plain = {key: one for key, one in tried[0].items() if not _within(key, leaf.key)}
        base = self.without(plain)
        if base.status == 200:
            return base, True
        if all(key in self.form or _within(key, leaf.key) for key in tried[-1]):
            return self.without(self.form), True
        return None, False

    def _forms(self, leaf: Leaf) -> list[Form]:
        """Forms with the parameter that Stripe's types allow, each with another value."""
        found = self.prepare(leaf)
        if self.scene.method == "GET":
            rows = self._values_of_rows(leaf)
            found = [found[0] | self._filled(leaf.key, value) for value in rows[:5]] + found
        if any(_within(key, leaf.key) for key in self.form):
            found = [self.form, *found]
        good = [form for form in found if not self._mistyped(form)]
        return good or found

    def _mistyped(self, form: Form) -> bool:
        text = "&".join(f"{quote(key, safe='[]')}={quote(value)}" for key, value in form.items())
        return bool(self._published.request_errors(self.route, forms.decode(text)))

    def _values_of_rows(self, leaf: Leaf) -> list[str]:
        """What the rows of a list have under a filter's name."""
        rows = self.without(self.form).body.get("data") or []
        names = re.findall(r"[^\[\]]+", leaf.name)
        found: dict[str, None] = {}
        for row in rows:
            value: Any = row
            for name in names:
                value = value.get(name) if isinstance(value, dict) else None
            if isinstance(value, bool):
                found[str(value).lower()] = None
            elif isinstance(value, str | int):
                found[str(value)] = None
        return list(found)


def _within(key: str, name: str) -> bool:
    return key == name or key.startswith(f"{name}[")


_SEEN = ("answer", "shown", "later", "decided", "fixed")
_RANK = (*_SEEN, "none", "fault")


@dataclass
class Found:
    """What became of each parameter of each call: the best of all scenes."""

    effects: dict[tuple[str, str], dict[str, tuple[str, str]]] = field(default_factory=dict)
    leaves: dict[tuple[str, str], list[Leaf]] = field(default_factory=dict)

    def counts(self) -> Counter[str]:
        """How many parameters have their effect, and how many are taken without one."""
        counts = Counter({"seen": 0, "declared without effect": 0, "unknown": 0})
        for call, leaves in self.leaves.items():
            for leaf in leaves:
                seen = self.effects[call][leaf.key][0] in _SEEN
                known = "declared without effect" if leaf.unseen else "unknown"
                counts["seen" if seen else known] += 1
        return counts

    def unseen(self) -> list[str]:
        """Parameters that are declared as played and have no effect."""
        found = []
        for call, leaves in self.leaves.items():
            for leaf in leaves:
                kind, said = self.effects[call][leaf.key]
                if kind not in _SEEN and not leaf.unseen:
                    found.append(f"{' '.join(call)} {leaf.name}: {kind} {said}")
        return found


def look(published: Published, scenes: Iterable[Scene]) -> Found:
    """Send every parameter of the calls of some scenes."""
    found = Found()
    with patch.object(world, "time", SimpleNamespace(time=lambda: float(NOON))):
        full = furnished(published, tuple(RECIPES))
        for scene in scenes:
            stage = Stage(
                published, scene, *full if scene.method == "GET" else furnished(published)
            )
            call = (stage.route.method, stage.route.template)
            known = found.effects.setdefault(call, {})
            found.leaves[call] = stage.leaves
            for leaf in stage.leaves:
                best = known.get(leaf.key)
                if best and best[0] in _SEEN:
                    continue
                now = stage.effect(leaf)
                if best is None or _RANK.index(now[0]) < _RANK.index(best[0]):
                    known[leaf.key] = now
    return found


def furnished(published: Published, names: tuple[str, ...] = ()) -> tuple[Inside, Made]:
    """An account with what has these names."""
    account = Inside.empty(published)
    account.shop.silent = False
    made = Made(cast(httpx.Client, _Client(account)), recipes=RECIPES)
    for name in names:
        made.id(name)
    return account, made
