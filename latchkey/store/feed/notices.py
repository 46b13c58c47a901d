"""Mails that follow from what happened: a cancellation, a failed payment, a new account."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from latchkey.store import site_settings
from latchkey.store.feed import outgoing
from latchkey.store.feed.outgoing import Mail
from latchkey.store.pool import Connection
from latchkey.store.site_settings import SiteSettings

if TYPE_CHECKING:
    from latchkey.store.purchases.settling import Fact

_SWITCHES = {
    "subscription_cancelled": "cancellation_mail",
    "payment_failed": "payment_mail",
    "user_created": "login_mail",
}
_KINDS = {
    "subscription_cancelled": "cancellation",
    "payment_failed": "payment_problem",
    "user_created": "login_instructions",
}


async def write_notices(connection: Connection, facts: Sequence["Fact"]) -> None:
    """Queue the mails that new facts call for: one for all products that a fact speaks of.

    Nobody is told what an import found, nor what an admin did by hand.
    """
    told = [f for f in facts if f.type in _KINDS and f.user_id and f.cause != "import"]
    if not told:
        return
    site = await site_settings.read(connection)
    groups: dict[tuple[str, int | None, str | None], list[Fact]] = {}
    for fact in told:
        if _wanted(fact.type, site):
            groups.setdefault((fact.type, fact.user_id, fact.source_id), []).append(fact)
    await outgoing.write_mails(connection, [_mail(group) for group in groups.values()])


def _wanted(type_: str, site: SiteSettings) -> bool:
    return bool(getattr(site, _SWITCHES[type_]))


def _mail(facts: list["Fact"]) -> Mail:
    first = min(facts, key=lambda fact: fact.key)
    assert first.user_id is not None, "only facts about a user are told"
    products = sorted({fact.product_id for fact in facts if fact.product_id})
    data: dict[str, Any] = {"source_id": first.source_id, "products": products}
    if first.type == "subscription_cancelled":
        ends = first.data.get("ends")
        data |= {"ends": ends, "over": ends is None or ends <= first.at}
    if first.type == "payment_failed":
        subscription = (first.source_id or "").startswith("sub_")
        data["source"] = "subscription" if subscription else "order"
    return Mail(
        key=f"{_KINDS[first.type]}:{first.key}",
        kind=_KINDS[first.type],
        user_id=first.user_id,
        product_id=products[0] if products else None,
        data=data,
    )
