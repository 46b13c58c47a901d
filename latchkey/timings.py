"""How long things take, for Prometheus: what is promised to buyers, and what that depends on."""

from prometheus_client import Histogram

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)
_FEWER_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)

ACCESS = Histogram(
    "latchkey_access_seconds",
    "From the arrival of a purchase's event until it opened what was bought.",
    buckets=_BUCKETS,
)
EVENT = Histogram(
    "latchkey_event_seconds",
    "From an event's arrival until what it reports took effect.",
    buckets=_BUCKETS,
)
END = Histogram(
    "latchkey_end_delay_seconds",
    "From the moment at which access was due to end until its end was recorded.",
    buckets=_BUCKETS,
)
STRIPE_CALL = Histogram(
    "latchkey_stripe_call_seconds",
    "Calls to Stripe, by what they are about, kind (read, list, write) and outcome (ok, refused,"
    " limited, unavailable).",
    ["object", "kind", "outcome"],
    buckets=_BUCKETS,
)
STRIPE_WAIT = Histogram(
    "latchkey_stripe_wait_seconds",
    "How long calls to Stripe wait for their turn within the rate.",
    buckets=_BUCKETS,
)
REQUEST = Histogram(
    "latchkey_request_seconds",
    "Requests to the site until the end of the response, by part of the site and status class.",
    ["part", "status"],
    buckets=_BUCKETS,
)
ROUTE = Histogram(
    "latchkey_route_seconds",
    "Requests for pages and the API until the end of the response, by route.",
    ["method", "route"],
    buckets=_FEWER_BUCKETS,
)
