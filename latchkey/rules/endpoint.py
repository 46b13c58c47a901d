"""What is wrong with our webhook endpoint, according to Stripe's description of it. Pure."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

PATH = "/webhooks/stripe"
MANY = 10


def look(
    endpoints: Sequence[Mapping[str, Any]], *, url: str, wanted: Collection[str], secrets: int
) -> dict[str, Any]:
    """What `problems` and `elsewhere` need to know of the account's endpoints. `secrets` is how
    many signing secrets are known, 0 if that can't be said."""
    ours = [endpoint for endpoint in endpoints if endpoint["url"] == url]
    strays = [
        {"id": endpoint["id"], "url": _without_secrets(endpoint["url"])}
        for endpoint in endpoints
        if endpoint["status"] == "enabled" and endpoint["url"] != url and _made_for_us(endpoint)
    ]
    best = min(ours, key=lambda endpoint: endpoint["status"] != "enabled", default=None)
    if best is None:
        return {"status": "missing", "strays": strays[:MANY]}
    sending = sum(endpoint["status"] == "enabled" for endpoint in ours)
    enabled = set(best["enabled_events"])
    return {
        "status": best["status"],
        "id": best["id"],
        "api_version": best.get("api_version"),
        "missing": [] if "*" in enabled else sorted(set(wanted) - enabled),
        "surplus": sorted(enabled - set(wanted)),
        "twins": len(ours) - 1,
        "sending": sending,
        "secrets": secrets,
        "strays": strays[:MANY],
    }


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
    sending, secrets = found.get("sending", 0), found.get("secrets", 0)
    if sending > secrets > 0:
        said.append(
            f"{sending} endpoints send to this site, but signing secrets are known for only"
            f" {secrets}: what the others send is refused. Delete those that aren't needed in"
            " Stripe's Dashboard"
        )
    return said


def elsewhere(found: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Id and address of endpoints that send this account's events to another address in our way:
    one that the site had earlier, or another site's."""
    return [(one["id"], one["url"]) for one in (found or {}).get("strays", [])]


def _made_for_us(endpoint: Mapping[str, Any]) -> bool:
    return bool((endpoint.get("metadata") or {}).get("latchkey")) or _without_secrets(
        endpoint["url"]
    ).endswith(PATH)


def _without_secrets(url: str) -> str:
    """A webhook's address may hold a password or a token."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an address that can't be read"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"
