"""How far an import is, and how many people an import or a bulk change concerned."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any
from urllib.parse import urlencode

from latchkey.languages import NN_, _, ngettext
from latchkey.rules.vocabulary import ActivityType, Cause
from latchkey.store.users import member_import_undo
from web.wording import labels

_IN_BULK = {
    "granted": NN_("%(count)s person got access.", "%(count)s people got access."),
    "changed": NN_(
        "%(count)s person who had it got this end and reason.",
        "%(count)s people who had it got this end and reason.",
    ),
    "ended": NN_("%(count)s person lost access.", "%(count)s people lost access."),
    "created": NN_("%(count)s user was created.", "%(count)s users were created."),
}
_BY_UNDOING = _IN_BULK | {
    "changed": NN_(
        "%(count)s person has the former end again.", "%(count)s people have the former end again."
    ),
}
_BY_REMOVAL = {
    "changed": NN_(
        "%(count)s person kept it as complimentary access.",
        "%(count)s people kept it as complimentary access.",
    ),
    "ended": _IN_BULK["ended"],
}


def line_people(line: Any) -> tuple[str, str]:
    """How many people an import, a bulk change or another access policy concerned, as sentences,
    and the query string that finds their lines in the feed. Empty for other lines, and where nobody
    has a line. Access to several products counts each time under another policy."""
    if line.imported:
        text = ngettext(
            "%(count)s person got access by its import.",
            "%(count)s people got access by its import.",
            line.imported,
        )
        return text, urlencode({"product": line.product_id, "cause": "import", "type": "imported"})
    if line.given or line.taken:
        texts = [_("Access given: %(count)s.", count=line.given)] if line.given else []
        texts += [_("Access ended: %(count)s.", count=line.taken)] if line.taken else []
        days = {"from": line.at, "to": line.applied_at}
        given = {"product": line.product_id, "cause": Cause.POLICY.value}
        given |= {name: day.astimezone(UTC).date() for name, day in days.items() if day}
        return " ".join(texts), urlencode({name: value for name, value in given.items() if value})
    given = {"product": line.product_id, "cause": Cause.BULK.value, "q": line.source_id}
    if line.type == ActivityType.LINK_REMOVED and "ended" in line.data:
        return _how_many(line, _BY_REMOVAL) or _("Nobody lost access."), urlencode(given)
    if line.type == ActivityType.IMPORT_UNDONE:
        return _taken_back(line.data), urlencode({"q": line.source_id})
    if line.type not in (ActivityType.BULK_CHANGE, ActivityType.USERS_IMPORTED):
        return "", ""
    found = any(line.data.get(name) for name in ("granted", "ended", "created"))
    query = urlencode({name: value for name, value in given.items() if value}) if found else ""
    said = _BY_UNDOING if (line.source_id or "").startswith(member_import_undo.PREFIX) else _IN_BULK
    return _how_many(line, said) or _("Everybody was known already."), query


def _how_many(line: Any, said: Mapping[str, tuple[str, str]]) -> str:
    return " ".join(
        ngettext(one, many, line.data[name])
        for name, (one, many) in said.items()
        if line.data.get(name)
    )


def _taken_back(data: Mapping[str, Any]) -> str:
    text = ngettext(
        "Complimentary access was taken back %(count)s time.",
        "Complimentary access was taken back %(count)s times.",
        data.get("ended", 0),
    )
    if changed := data.get("changed", 0):
        again = ngettext(
            "It has its former end again %(count)s time.",
            "It has its former end again %(count)s times.",
            changed,
        )
        text = f"{text} {again}"
    if deleted := data.get("deleted", 0):
        gone = ngettext(
            "%(count)s account was deleted.", "%(count)s accounts were deleted.", deleted
        )
        text = f"{text} {gone}"
    return text


def progress(link: Any) -> str:
    """How far a link's import is, as a sentence."""
    done = link.progress or {}
    read, sold, given = (done.get(name, 0) for name in ("subscriptions", "orders", "granted"))
    counts = _(
        "%(subscriptions)s and %(orders)s read, %(people)s",
        subscriptions=ngettext("%(count)s subscription", "%(count)s subscriptions", read),
        orders=ngettext("%(count)s order", "%(count)s orders", sold),
        people=ngettext(
            "%(count)s person granted access", "%(count)s people granted access", given
        ),
    )
    match link.state:
        case "importing" if link.error:
            return _(
                "Importing: %(counts)s so far. Waiting to try again: %(error)s",
                counts=counts,
                error=link.error,
            )
        case "importing":
            return _("Importing: %(counts)s so far", counts=counts)
        case "listening":
            return _("Up to date. Import finished: %(counts)s", counts=counts)
        case "failed":
            return _("The import failed: %(error)s", error=link.error or _("unknown reason"))
    return labels.link_state(link.state)
