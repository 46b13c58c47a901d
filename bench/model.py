"""`python -m bench.model`: what a large site needs, from what one of each was measured to cost.

Nothing runs: it is arithmetic, with its assumptions beside it. `--subscriptions`, `--events` and
`--cohort` say another size. docs/scaling.md has its table and what it leaves out.
"""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import ceil

DAYS, SECONDS = 30, 30 * 86_400
PAGE = 100
"""How many objects a list of Stripe's has at most."""


@dataclass(frozen=True)
class Costs:
    """What one of each was measured to cost: docs/performance.md has the commands. CPU time is in
    milliseconds, by program, of the machine of that page."""

    purchase: Mapping[str, float] = field(
        default_factory=lambda: {"web": 4.3, "worker": 11.3, "Postgres": 8.1, "Temporal": 17.2}
    )
    """Alone, with its three or more events: `bench.lifecycle --rates 20 --open`."""
    renewal: Mapping[str, float] = field(
        default_factory=lambda: {"web": 0.7, "worker": 0.65, "Postgres": 1.05, "Temporal": 0.45}
    )
    """In a burst, with its three events: `bench.renewals 2000`."""
    event: Mapping[str, float] = field(default_factory=lambda: {"web": 0.15, "Postgres": 0.08})
    """One that nothing waits for: `bench.webhooks`."""
    access: Mapping[str, float] = field(default_factory=lambda: {"web": 0.083, "Postgres": 0.016})
    """One question: `bench.access`."""
    compared: Mapping[str, float] = field(
        default_factory=lambda: {"worker": 0.47, "Postgres": 0.47}
    )
    """One subscription: 47 s for 50,000, as if both cores had been busy: `bench.reconcile`."""
    timer: Mapping[str, float] = field(
        default_factory=lambda: {"worker": 5.7, "Postgres": 2.0, "Temporal": 8.6}
    )
    """A run that wakes and takes what was applied, once a month. Not measured: half of a purchase,
    a quarter for Postgres, as it is one workflow task without a read, a start or a signal."""
    reads_purchase: float = 1.0
    reads_renewal: float = 0.03
    reads_compared: float = 1 / PAGE
    actions_purchase: float = 6
    actions_event: float = 2
    actions_renewal: float = 0.06
    """Its part of two bursts of 100: start, activity, and the nudge of `Lifecycles`."""
    actions_timer: float = 2
    """The timer, and the local activity that takes what was applied."""
    actions_look: float = 7
    looks: float = DAYS * 86_400 / 600
    event_row_bytes: float = 700
    """With its indexes, without its body: `bench.growth`."""
    event_body_bytes: float = 3_700
    run_bytes: float = 20_000
    """A sleeping run on Temporal's disk; in its dev server's memory it is 36 KB."""


@dataclass(frozen=True)
class Site:
    """The site that is asked about, a month of it."""

    subscriptions: int = 1_000_000
    events: int = 3_000_000
    cohort: int = 500_000
    """How many of the subscriptions renew on one day, most of them in one hour."""
    new_share: float = 0.03
    """New subscriptions a month, of all; as many end."""
    access_a_second: float = 200
    body_months: float = 3
    event_months: float = 400 / DAYS

    @property
    def purchases(self) -> float:
        return self.subscriptions * self.new_share

    @property
    def other_events(self) -> float:
        """Events that belong neither to a purchase nor to a renewal, three of each."""
        return max(0.0, self.events - 3 * (self.purchases + self.subscriptions))


@dataclass(frozen=True)
class Limits:
    """What others allow."""

    stripe: float = 20
    """Reads a second: the default of `LATCHKEY_STRIPE_RATE`. Stripe allows 25 a second of one kind,
    such as the list of subscriptions, and 100 of all, whoever makes them."""
    temporal_cloud: float = 400
    """Actions a second that a namespace of Temporal Cloud begins with; more on request."""
    busy: float = 0.7
    """Of a core, so that questions don't queue."""


@dataclass(frozen=True)
class Month:
    """What a month needs."""

    cores: Mapping[str, float]
    """Busy on average, by program."""
    reads: float
    actions: float
    disk: Mapping[str, float]
    """Bytes that stay, by what they hold."""


@dataclass(frozen=True)
class Cohort:
    """How long a renewal day's cohort takes, in seconds, by what it has to wait for: until access
    is right, and until every run has woken, which nobody waits for."""

    seconds: Mapping[str, float]
    waking: Mapping[str, float]

    @property
    def binds(self) -> str:
        return max(self.seconds, key=lambda name: self.seconds[name])


def month(site: Site, costs: Costs) -> Month:
    """An average month: purchases come alone, renewals in bursts, a comparison each night."""
    compared = DAYS * site.subscriptions
    counts = [
        (site.purchases, costs.purchase),
        (site.subscriptions, costs.renewal),
        (site.subscriptions, costs.timer),
        (site.other_events, costs.event),
        (site.access_a_second * SECONDS, costs.access),
        (compared, costs.compared),
    ]
    cores: dict[str, float] = {}
    for count, each in counts:
        for program, milliseconds in each.items():
            cores[program] = cores.get(program, 0) + count * milliseconds / 1000 / SECONDS
    return Month(
        cores=cores,
        reads=site.purchases * costs.reads_purchase
        + site.subscriptions * costs.reads_renewal
        + compared * costs.reads_compared
        + costs.looks
        + ceil(site.events / PAGE),
        actions=site.purchases * (costs.actions_purchase + costs.actions_event)
        + site.subscriptions * (costs.actions_renewal + costs.actions_timer)
        + costs.looks * costs.actions_look,
        disk={
            "events": site.events * site.event_months * costs.event_row_bytes,
            "their bodies": site.events * site.body_months * costs.event_body_bytes,
            "sleeping runs": site.subscriptions * costs.run_bytes,
        },
    )


def cohort(site: Site, costs: Costs, limits: Limits, *, cores: int, bursts: bool = True) -> Cohort:
    """The cohort on so many cores for all programs together, read in bursts or one by one."""
    each = costs.renewal if bursts else costs.purchase
    reads = costs.reads_renewal if bursts else costs.reads_purchase
    actions = costs.actions_renewal if bursts else costs.actions_event

    def cpu(milliseconds: Mapping[str, float]) -> float:
        return site.cohort * sum(milliseconds.values()) / 1000 / (cores * limits.busy)

    return Cohort(
        seconds={
            "CPU": cpu(each),
            "Stripe": site.cohort * reads / limits.stripe,
            "Temporal Cloud": site.cohort * actions / limits.temporal_cloud,
        },
        waking={
            "CPU": cpu(costs.timer),
            "Temporal Cloud": site.cohort * costs.actions_timer / limits.temporal_cloud,
        },
    )


def table(site: Site, costs: Costs, limits: Limits) -> Iterator[str]:
    """The lines of the table in docs/scaling.md."""
    found = month(site, costs)
    cores = ", ".join(f"{name} {busy:.2f}" for name, busy in found.cores.items())
    disk = ", ".join(f"{name} {size / 1e9:.0f} GB" for name, size in found.disk.items())
    yield f"| cores busy on average | {cores} |"
    yield f"| reads from Stripe | {found.reads:,.0f} a month |"
    yield f"| actions of Temporal | {found.actions:,.0f} a month |"
    yield f"| disk | {disk} |"
    for name, count, bursts in (
        ("the cohort on 4 cores", 4, True),
        ("on 16 cores", 16, True),
        ("on 16 cores, one by one", 16, False),
    ):
        took = cohort(site, costs, limits, cores=count, bursts=bursts)
        yield f"| {name} | {_minutes(took.seconds)}: **{took.binds}** binds |"
        if bursts:
            yield f"| its runs wake, meanwhile | {_minutes(took.waking)} |"


def _minutes(seconds: Mapping[str, float]) -> str:
    return ", ".join(f"{what} {part / 60:.0f} min" for what, part in seconds.items())


def main() -> None:
    usual = Site()
    parser = argparse.ArgumentParser()
    parser.add_argument("--subscriptions", type=int, default=usual.subscriptions)
    parser.add_argument("--events", type=int, default=usual.events)
    parser.add_argument("--cohort", type=int, default=usual.cohort)
    given = parser.parse_args()
    print(*table(Site(**vars(given)), Costs(), Limits()), sep="\n")


if __name__ == "__main__":
    main()
