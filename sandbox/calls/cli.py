"""Calls of the Stripe CLI that no API description lists: its sessions, and resent events."""

import secrets
from typing import Any

from sandbox.calls.registry import UNPUBLISHED, Call
from sandbox.listening import RECONNECT_SECONDS
from sandbox.schema import API_VERSION
from sandbox.world import Json


def _session(c: Call) -> Json:
    features: Any = c.params.get("websocket_features") or []
    world = c.shop.world
    made = c.shop.listeners.open(
        world.new_id("cliws"),
        list(features.values()) if isinstance(features, dict) else features,
        c.params.get("filters", ""),
    )
    return {
        "object": "stripecli.session",
        "default_version": c.shop.settings.events_version or API_VERSION,
        "device_token": "",
        "display_connect_filter_warning": False,
        "latest_version": API_VERSION,
        "reconnect_delay": RECONNECT_SECONDS,
        "secret": cli_secret(c),
        "websocket_authorized_feature": ",".join(made.features),
        "websocket_id": made.id,
        "websocket_url": f"ws{world.base_url.removeprefix('http')}/stripecli/subscribe",
    }


def cli_secret(c: Call) -> str:
    """The secret that signs events for `stripe listen`: the same for all sessions."""
    kept = c.shop.world.private.get("stripecli") or c.shop.world.keep(
        "stripecli", secret=f"whsec_{secrets.token_hex(32)}"
    )
    return str(kept["secret"])


def _resend(c: Call) -> Json:
    found = c.shop.find("event", c.ids[0])
    endpoint = c.params.get("webhook_endpoint")
    if endpoint:
        c.shop.find("webhook_endpoint", endpoint, param="webhook_endpoint")
    c.shop.resend(found, endpoint)
    return found


UNPUBLISHED["POST", r"/v1/stripecli/sessions"] = _session
UNPUBLISHED["POST", r"/v1/events/([^/]+)/retry"] = _resend
