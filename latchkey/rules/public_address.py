"""What was found at a site's public address. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class AddressState(StrEnum):
    """Where the public address leads. `HERE` is the only one that is as it should be."""

    HERE = "here"
    NO_NAME = "no_name"
    NO_ANSWER = "no_answer"
    CERTIFICATE = "certificate"
    REDIRECTED = "redirected"
    OTHER_SITE = "other_site"
    OTHER_DATABASE = "other_database"
    OTHER_HOST = "other_host"
    VISITORS_HIDDEN = "visitors_hidden"


@dataclass(frozen=True)
class AddressFinding:
    """What was found, when (UTC), and what was said there: a status, an error, an address."""

    state: AddressState
    at: datetime
    detail: str = ""


def sentence(finding: AddressFinding, url: str) -> str:
    """What was found, and what to do about it."""
    detail = finding.detail
    match finding.state:
        case AddressState.HERE:
            return f"{url} leads to this site."
        case AddressState.NO_NAME:
            return f"DNS doesn't know the name in {url} ({detail}). Add a record for it."
        case AddressState.NO_ANSWER:
            return (
                f"Nothing answers at {url} ({detail}). Start the proxy, and open its port to the"
                " internet."
            )
        case AddressState.CERTIFICATE:
            return (
                f"The certificate at {url} isn't valid ({detail}). Stripe and browsers refuse it."
            )
        case AddressState.REDIRECTED:
            return (
                f"{url} redirects to {detail}. Stripe doesn't follow redirects: serve the site at"
                " this address, or set LATCHKEY_PUBLIC_URL to the other one."
            )
        case AddressState.OTHER_SITE:
            return f"Something else answers at {url} ({detail}). Have the proxy lead it here."
        case AddressState.OTHER_DATABASE:
            return f"Another copy of this site answers at {url}, with a database of its own."
        case AddressState.OTHER_HOST:
            return (
                f"The proxy at {url} passes on another host name than the one that was asked for."
                " Have it keep the Host header."
            )
        case AddressState.VISITORS_HIDDEN:
            return (
                f"{url} leads to this site, but who visits it stays unknown: have the proxy set"
                " X-Forwarded-For, and name its address in FORWARDED_ALLOW_IPS."
            )
