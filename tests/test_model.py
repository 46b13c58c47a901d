"""The arithmetic of `bench.model`, by figures that can be worked out in the head."""

from pathlib import Path

import pytest

from bench.model import Costs, Limits, Site, cohort, month, table

COSTS = Costs(
    purchase={"web": 1.0, "worker": 3.0},
    renewal={"worker": 2.0},
    timer={"worker": 4.0},
    event={"web": 1.0},
    access={"web": 0.5},
    compared={"worker": 0.1},
    reads_purchase=2,
    reads_renewal=0.1,
    reads_compared=0.01,
    actions_purchase=6,
    actions_event=2,
    actions_renewal=0.5,
    actions_timer=2,
    looks=10,
    actions_look=7,
    event_row_bytes=100,
    event_body_bytes=1000,
    run_bytes=10,
)
SITE = Site(
    subscriptions=1000,
    events=3400,
    cohort=400,
    new_share=0.1,
    access_a_second=2,
    body_months=2,
    event_months=10,
)


def test_a_month_adds_up() -> None:
    found = month(SITE, COSTS)
    seconds = 30 * 86_400
    assert SITE.purchases == 100
    assert SITE.other_events == 3400 - 3 * 1100
    web = (100 * 1 + 100 * 1) / 1000 / seconds + 2 * 0.5 / 1000
    worker = (100 * 3 + 1000 * (2 + 4) + 30 * 1000 * 0.1) / 1000 / seconds
    assert found.cores == pytest.approx({"web": web, "worker": worker})
    assert found.reads == 100 * 2 + 1000 * 0.1 + 30 * 1000 * 0.01 + 10 + 34
    assert found.actions == 100 * (6 + 2) + 1000 * (0.5 + 2) + 10 * 7
    assert found.disk == {
        "events": 3400 * 10 * 100,
        "their bodies": 3400 * 2 * 1000,
        "sleeping runs": 1000 * 10,
    }


def test_what_takes_longest_binds() -> None:
    limits = Limits(stripe=10, temporal_cloud=100, busy=0.5)
    together = cohort(SITE, COSTS, limits, cores=2)
    assert together.seconds == {"CPU": 0.8, "Stripe": 4.0, "Temporal Cloud": 2.0}
    assert together.waking == {"CPU": 1.6, "Temporal Cloud": 8.0}
    assert together.binds == "Stripe"
    alone = cohort(SITE, COSTS, Limits(stripe=1000, busy=0.5), cores=1, bursts=False)
    assert alone.seconds == pytest.approx({"CPU": 3.2, "Stripe": 0.8, "Temporal Cloud": 2.0})
    assert alone.binds == "CPU"


def test_no_event_is_counted_twice() -> None:
    assert Site(subscriptions=1000, events=10).other_events == 0


def test_the_documentation_has_the_table() -> None:
    page = Path("docs/scaling.md").read_text()
    assert "\n".join(table(Site(), Costs(), Limits())) in page
