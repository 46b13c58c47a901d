"""What is wrong with our webhook endpoint, according to Stripe's description of it. Pure."""

from collections.abc import Mapping
from typing import Any


def problems(found: Mapping[str, Any] | None, *, version: str) -> list[str]:
    """Sentences for operators, worst first. Empty if all is well or the endpoint hasn't been
    checked."""
    if found is None:
        return []
    match found.get("status"):
        case "missing":
            return ["No webhook endpoint in the Stripe account sends to this site"]
        case "unreadable":
            return [
                f"The webhook endpoint can't be checked: {found.get('message', 'no reason given')}"
            ]
        case "enabled":
            said = []
        case other:
            said = [f"Stripe shows the endpoint as {other}, so it sends nothing"]
    if missing := found.get("missing"):
        said.append(f"It doesn't send {', '.join(missing)}")
    if (theirs := found.get("api_version")) != version:
        said.append(f"It sends the API version {theirs or 'of the account'} instead of {version}")
    if "invoice.created" in (found.get("surplus") or ()):
        said.append(
            "It sends invoice.created, which can make Stripe hold invoices back: remove that event"
        )
    return said
