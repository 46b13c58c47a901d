"""Does scheduled work when it is due, and advances time on request."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from sandbox import (
    accounting,
    captures,
    checkout,
    payments,
    quotes,
    refunds,
    settling,
    sources,
    subscriptions,
)
from sandbox.shop import Shop, StripeApiError, snapshot
from sandbox.subscriptions import dunning, endings, pauses, pending, previews, renewals, schedules
from sandbox.world import Json

TICK_SECONDS = 0.2

_WORK: dict[str, tuple[str, Callable[[Shop, Json], object]]] = {
    "period_end": ("subscription", renewals.period_end),
    "expire_incomplete": ("subscription", endings.expire_incomplete),
    "warn_trial": ("subscription", renewals.warn_trial),
    "announce_invoice": ("subscription", previews.announce_invoice),
    "resume_collection": ("subscription", pauses.resume_collection),
    "expire_pending_update": ("subscription", pending.expire),
    "phase_end": ("subscription_schedule", schedules.phase_end),
    "warn_schedule": ("subscription_schedule", schedules.warn),
    "finalize_invoice": ("invoice", renewals.finalize),
    "retry_invoice": ("invoice", dunning.attempt),
    "invoice_overdue": ("invoice", dunning.overdue),
    "expire_session": ("checkout.session", checkout.expire),
    "expire_quote": ("quote", quotes.cancel),
    "balance_charge": ("charge", payments.put_on_balance),
    "settle_payment": ("payment_intent", settling.settle),
    "expire_hold": ("payment_intent", captures.expire),
    "funds_available": ("balance_transaction", accounting.become_available),
    "arrive_payout": ("payout", accounting.arrive),
    "settle_source": ("source", sources.settle),
    "settle_refund": ("refund", refunds.settle),
    "act_on_dispute": ("dispute", dunning.act_on_dispute),
}


def do_due(shop: Shop, until: float | None = None, clock: str | None = None) -> int:
    """Do everything due now, or by `until` on a test clock, in order. Returns how many tasks were
    done."""
    done = 0
    while (due := shop.world.take_due(until, clock)) is not None:
        name, object_id = due
        kind, work = _WORK[name]
        try:
            found = shop.world.table(kind).get(object_id)
            if found is not None:
                work(shop, found)
        except StripeApiError as fault:
            shop.problems.append(f"{name} of {object_id}: {fault}")
        finally:
            shop.world.settle_clock()
        done += 1
    return done


@dataclass
class Clock:
    """Does one shop's work when it is due. `flush` is called after each burst."""

    shop: Shop
    flush: Callable[[], None]
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Do work as it comes due, until cancelled."""
        while True:
            self.work()
            at = self.shop.world.next_due()
            pause = TICK_SECONDS if at is None else max(0.0, min(TICK_SECONDS, at - time.time()))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), pause)
            self._moved.clear()

    def work(self) -> int:
        """Do everything due now, in order. Returns how many tasks were done."""
        done = do_due(self.shop)
        self.flush()
        return done

    def advance(self, seconds: int) -> int:
        """Advance time by `seconds`: move the world into the past, do what has come due in order,
        and emit an update for each live subscription, whose dates have moved."""
        if seconds <= 0:
            raise ValueError("time can only move forward: give a positive number of seconds")
        world = self.shop.world
        before = {
            row["id"]: snapshot(row)
            for row in world.table("subscription").values()
            if row["status"] in subscriptions.LIVE
        }
        world.shift(seconds)
        done = self.work()
        for row in world.table("subscription").values():
            if row["id"] in before and row["status"] in subscriptions.LIVE:
                self.shop.emit("customer.subscription.updated", row, before[row["id"]])
        self.flush()
        self._moved.set()
        return done
