"""What is wrong with our webhook endpoint, from how Stripe describes it. Pure."""

from collections.abc import Mapping
from typing import Any


def problems(found: Mapping[str, Any] | None, *, version: str) -> list[str]:
    """Sentences for the operator, the worst first; empty where all is well or nobody looked."""
    if found is None:
        return []
    match found.get("status"):
        case "missing":
            return ["No endpoint of the Stripe account sends to this site"]
        case "unreadable":
            return [f"The endpoint can't be looked at: {found.get('message', 'no reason given')}"]
        case "enabled":
            said = []
        case other:
            said = [f"Stripe has the endpoint {other}: it sends nothing"]
    if missing := found.get("missing"):
        said.append(f"It doesn't send {', '.join(missing)}")
    if (theirs := found.get("api_version")) != version:
        said.append(f"It sends version {theirs or 'of the account'}, and {version} is read here")
    if "invoice.created" in (found.get("surplus") or ()):
        said.append(
            "It sends invoice.created, for which Stripe can hold invoices back: take it off"
        )
    return said
