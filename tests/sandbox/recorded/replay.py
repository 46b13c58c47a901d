"""Replays recorded exchanges with real Stripe against a sandbox and reports the differences.

A dialogue is a list of requests and answers. Ids differ from run to run, so the ids of the
recording are mapped to ours by where they stand in the answers. What the recording assumes
(prices, coupons, customers and their cards) is created first; requests about other objects that it
never created are left out.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx

from sandbox.box import Sandbox, build
from sandbox.schema import Published
from sandbox.server import create_app
from sandbox.versions.families import OLDEST
from tests.harness import KEY
from tests.sandbox.recorded.accounts import Account, objects

Json = dict[str, Any]
ID = re.compile(
    r"\b(?:(?:tok|card|src|price)_\w{20,}|prod_\w{14,}"
    r"|(?:cus|sub|pi|pm|pmc|in|ch|re|si|il|ii|di|txn|cs|seti|inpay|bps|bpc|li|cn|cnli)_\w+)"
)
_TAKEN = re.compile(r"(?:price|plan|coupon)\]?=([^&\s]+)")
_PASSING = re.compile(
    r"_at$|^created$|period_|_date$|^start$|^end$|^date$|_anchor$|_until$|^updated$|^trial_|_on$"
)


@dataclass
class Difference:
    """One difference between our answer and the recorded one. `where` is the object's kind
    and the path inside it; `what` is `status`, `missing`, `added`, `type` or
    `value`, or `version` for a request of a version that the sandbox doesn't speak."""

    what: str
    where: str
    theirs: Any
    ours: Any


@dataclass
class Replay:
    """One dialogue, replayed: the differences of each request that was made, and how many were
    left out."""

    each: list[list[Difference]] = field(default_factory=list)
    left_out: int = 0

    @property
    def differences(self) -> list[Difference]:
        """All differences of the dialogue."""
        return [found for request in self.each for found in request]

    @property
    def made(self) -> int:
        """How many requests were made."""
        return len(self.each)


def dialogues(path: Path) -> dict[str, list[Json]]:
    """The recorded requests of a file, by dialogue."""
    found: dict[str, list[Json]] = {}
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        found.setdefault(entry["case"], []).append(entry)
    return found


async def replay(
    dialogue: list[Json], published: Published, account: Account | None = None
) -> Replay:
    """Make the requests of a dialogue to a fresh sandbox, set up as the recorded account: the given
    one, or what the dialogue alone shows of it."""
    box = build(base_url="http://sandbox", published=published, chance=1)
    (account or Account.of(dialogue)).set_up(box)
    result = Replay()
    forms = " ".join(unquote(entry["form"] or "") for entry in dialogue)
    known = {name: name for name in _TAKEN.findall(forms)}
    transport = httpx.ASGITransport(app=create_app(box))
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://sandbox", headers=headers
    ) as client:
        await _take_for_granted(client, box, dialogue)
        known |= await _customers_of_before(client, dialogue)
        for entry in dialogue:
            if not _is_ours(entry, known):
                result.left_out += 1
                continue
            answer = await _ask(client, entry, known)
            found: list[Difference] = []
            _compare(entry, answer, known, found)
            result.each.append(found)
    if result.each:
        result.each[-1] += [
            Difference("value", "the sandbox's own checks", None, problem)
            for problem in box.shop.problems
        ]
    return result


def _is_ours(entry: Json, known: dict[str, str]) -> bool:
    if entry["body"].get("object") == "list" and not entry["body"]["data"]:
        return True
    return all(name in known for name in _named(entry))


def _named(entry: Json) -> list[str]:
    """The ids in a request, without those that Stripe has for tests."""
    found = ID.findall(unquote(entry["path"]) + "&" + unquote(entry["form"] or ""))
    return [name for name in found if not name.startswith("pm_card_")]


async def _customers_of_before(client: httpx.AsyncClient, dialogue: list[Json]) -> dict[str, str]:
    """Create the customers whom requests name before any answer shows them, each with a card where
    a request gives them one that no answer showed; returns our ids by theirs."""
    made: dict[str, str] = {}
    seen: set[str] = set()
    for entry in dialogue:
        missing = [name for name in _named(entry) if name not in seen and name not in made]
        for name in missing:
            if name.startswith("cus_"):
                made[name] = await _customer(client, dialogue, name)
        owner = next((made[name] for name in _named(entry) if name in made), None)
        for name in missing:
            if name.startswith("pm_") and owner:
                made[name] = await _card(client, owner)
        seen |= set(ID.findall(json.dumps(entry["body"])))
    return made


async def _customer(client: httpx.AsyncClient, dialogue: list[Json], name: str) -> str:
    """A customer as the first answer that shows this one does."""
    everything = (one for entry in dialogue for one in objects(entry["body"]))
    shown = next((one for one in everything if one.get("id") == name), {})
    params = {key: shown[key] for key in ("email", "name", "phone") if shown.get(key)}
    params |= {f"metadata[{key}]": value for key, value in (shown.get("metadata") or {}).items()}
    answer = await client.post("/v1/customers", data=params)
    return str(answer.raise_for_status().json()["id"])


async def _card(client: httpx.AsyncClient, customer: str) -> str:
    answer = await client.post(
        "/v1/payment_methods/pm_card_visa/attach", data={"customer": customer}
    )
    return str(answer.raise_for_status().json()["id"])


async def _ask(client: httpx.AsyncClient, entry: Json, known: dict[str, str]) -> httpx.Response:
    def ours(text: str) -> str:
        return ID.sub(lambda found: known.get(found[0], found[0]), text)

    return await client.request(
        entry["method"],
        ours(entry["path"]),
        content=ours(entry["form"] or ""),
        headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "Stripe-Version": entry["version"],
        },
    )


async def _take_for_granted(client: httpx.AsyncClient, box: Sandbox, dialogue: list[Json]) -> None:
    """Create the prices and coupons named in the requests, as shown in the answers."""
    forms = " ".join(unquote(entry["form"] or "") for entry in dialogue)
    shown = {
        (one["object"], one["id"]): one
        for entry in dialogue
        for one in objects(entry["body"])
        if one.get("object") in ("price", "coupon")
    }
    told = (_SOLD.search(str(one.get("description"))) for one in _lines(dialogue))
    sold = next((found for found in told if found), None)
    product_data = {"name": sold["name"], "unit_label": sold["unit"]} if sold else _UNNAMED
    table = box.shop.world.table
    for name in sorted(set(_TAKEN.findall(forms))):
        if ("coupon", name) in shown or "coupon]=" + name in forms:
            source = shown.get(("coupon", name), {"percent_off": 10})
            params = {"id": name, "duration": source.get("duration", "once")}
            if source.get("name"):
                params["name"] = source["name"]
            if source.get("percent_off") is not None:
                params["percent_off"] = str(source["percent_off"])
            else:
                params |= {
                    "amount_off": str(source["amount_off"]),
                    "currency": source.get("currency") or "usd",
                }
            (await client.post("/v1/coupons", data=params)).raise_for_status()
            table("coupon")[name]["times_redeemed"] = max(0, _first_count(dialogue, name) - 1)
            continue
        source = shown.get(("price", name), {"unit_amount": 1000, "currency": "usd"})
        product = source.get("product") or "prod_recorded"
        if product not in table("product"):
            await client.post("/v1/products", data={"id": product, **product_data})
        params = {
            "product": product,
            "tax_behavior": source.get("tax_behavior") or "unspecified",
            "currency": source["currency"],
            "unit_amount": str(source["unit_amount"]),
            "recurring[interval]": (source.get("recurring") or {}).get("interval", "month"),
        }
        made = (await client.post("/v1/prices", data=params)).json()["id"]
        row = dict(table("price")[made])
        table("price").put({**row, "id": name, "nickname": source.get("nickname")})


_SOLD = re.compile(r"\d+ (?P<unit>\w+) × (?P<name>.+?)(?: \(at|$)")
"""What a line sells, in its description."""
_UNNAMED = {"name": "Recorded"}


def _first_count(dialogue: list[Json], coupon: str) -> int:
    """How often a coupon had been redeemed when the dialogue first showed it."""
    for entry in dialogue:
        for one in objects(entry["body"]):
            if one.get("object") == "coupon" and one["id"] == coupon:
                return int(one["times_redeemed"])
    return 0


def _lines(dialogue: list[Json]) -> Iterator[Json]:
    for entry in dialogue:
        yield from (one for one in objects(entry["body"]) if one.get("object") == "line_item")


def _compare(
    entry: Json, answer: httpx.Response, known: dict[str, str], out: list[Difference]
) -> None:
    if answer.status_code != entry["status"]:
        error = answer.json().get("error", {})
        if error.get("code") == "sandbox_unsupported" and entry["version"] < OLDEST:
            out.append(Difference("version", entry["version"], None, OLDEST))
            return
        where = f"{entry['method']} {ID.sub('{id}', entry['path'].split('?')[0])}"
        said = error.get("message", "")
        out.append(Difference("status", where, entry["status"], f"{answer.status_code} {said}"))
        return
    _walk(entry["body"], answer.json(), "", "error", known, out)


def _walk(
    theirs: Any, ours: Any, path: str, kind: str, known: dict[str, str], out: list[Difference]
) -> None:
    where = f"{kind}{path}"
    if isinstance(theirs, dict) and isinstance(ours, dict):
        _walk_object(theirs, ours, path, kind, known, out)
    elif isinstance(theirs, list) and isinstance(ours, list):
        if len(theirs) != len(ours):
            out.append(Difference("value", f"{where}[]", len(theirs), len(ours)))
        for one, other in zip(theirs, ours, strict=False):
            _walk(one, other, f"{path}[]", kind, known, out)
    elif str(theirs) in REDACTED or _alike(where, theirs, ours):
        return
    elif type(theirs) is not type(ours):
        out.append(Difference("type", where, theirs, ours))
    elif isinstance(theirs, str) and ID.fullmatch(theirs):
        _learn(theirs, ours, known)
    elif theirs != ours and not _passing(where.rsplit(".", 1)[-1], theirs):
        out.append(Difference("value", where, theirs, ours))


def _walk_object(
    theirs: Json, ours: Json, path: str, kind: str, known: dict[str, str], out: list[Difference]
) -> None:
    inner = theirs.get("object")
    if isinstance(inner, str) and inner != "list":
        kind, path = inner, ""
        _learn(theirs.get("id"), ours.get("id"), known)
    for key in sorted(set(theirs) | set(ours)):
        where = f"{kind}{path}.{key}"
        if key not in ours:
            out.append(Difference("missing", where, theirs[key], None))
        elif key not in theirs:
            out.append(Difference("added", where, None, ours[key]))
        else:
            _walk(theirs[key], ours[key], f"{path}.{key}", kind, known, out)


REDACTED = ("<HIDDEN-STRIPE_CLIENT_ID>", "buyer@example.com")
"""What stands for values that were taken out of a recording."""
_FORMS = {
    "customer.invoice_prefix": "[0-9A-Z]{8}",
    "invoice.number": r"[0-9A-Z]{8}-\d{4}",
    "credit_note.number": r"[0-9A-Z]{8}-\d{4}-CN-\d\d",
    "charge.outcome.risk_score": r"\d\d?",
    "*.fingerprint": r"\w{16}",
    "*.card.authorization_code": r"\d{6}",
    "*.card.network_transaction_id": r"\d{15}",
    "*.card.exp_month": r"1?\d",
    "*.card.exp_year": r"20\d\d",
    "token.client_ip": r"\d+\.\d+\.\d+\.\d+",
}
"""Values of chance, of an account or of the day: only their form can agree."""
_DAY = re.compile(r"\d\d \w{3} \d{4}")


def _alike(where: str, theirs: Any, ours: Any) -> bool:
    """Whether two values have the form that such values have, or name days in the same words."""
    for pattern, form in _FORMS.items():
        if fnmatchcase(where, pattern):
            return all(re.fullmatch(form, str(value)) for value in (theirs, ours))
    if where == "line_item.description" and isinstance(theirs, str) and isinstance(ours, str):
        return _DAY.sub("", theirs) == _DAY.sub("", ours)
    return False


def _learn(theirs: Any, ours: Any, known: dict[str, str]) -> None:
    if isinstance(theirs, str) and isinstance(ours, str) and ID.fullmatch(theirs):
        known.setdefault(theirs, ours)


def _passing(key: str, value: Any) -> bool:
    """Whether a value differs in every run: times, addresses, secrets."""
    if isinstance(value, str):
        return any(sign in value for sign in ("://", "_secret", "redacted", "/v1/"))
    return bool(_PASSING.search(key))
