"""Several lives side by side in one Latchkey, judged whenever everything is settled.

They share what belongs to the whole site: the faults, the clock, the site's policy, and the
waiting.
"""

import asyncio
import random
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from latchkey.store import site_settings
from latchkey.store.pool import Connection
from tests.harness import until
from tests.hostile.acts import some_cells
from tests.hostile.judge import COUNTED, WrongError
from tests.hostile.life import Life
from tests.hostile.moves import DAY
from tests.hostile.outside import Outside
from tests.hostile.truth import Json, Truth

PATIENCE = 90.0
FOUND_WITHIN = 5.0
"""Seconds after which another catch-up is started."""

HOSTILE = {
    "duplicate": 0.3,
    "delay": 0.4,
    "delay_seconds": 0.7,
    "drop": 0.12,
    "bad_signature": 0.03,
    "stale_timestamp": 0.03,
    "old_api_version": 0.15,
    "old_snapshot": 0.2,
    "thin": 0.3,
    "short_page": 0.3,
    "cut_connection": 0.02,
    "api_409": 0.02,
    "api_429": 0.03,
    "api_429_retry": 0.01,
    "api_500_before": 0.02,
    "api_500_after": 0.02,
}
CALM = dict.fromkeys(HOSTILE, 0.0)
LISTED_OFTEN = (
    "checkout.session.async", "checkout.session.completed", "refund.",
    "charge.captured", "charge.refunded", "charge.dispute.created", "charge.dispute.closed",
    "invoice.paid", "invoice.payment_failed",
    "customer.subscription.created", "customer.subscription.updated",
    "customer.subscription.deleted", "customer.subscription.paused",
    "customer.subscription.resumed",
)  # fmt: skip
"""Types of events that the regular catch-up must find."""


@dataclass
class Company:
    """Lives that are played together. The first life's seed decides what concerns all of them.

    A life that goes wrong stops; `wrong` says why, by its seed. The others go on.
    """

    outside: Outside
    lives: list[Life]
    faults: Json = field(default_factory=lambda: dict(HOSTILE))
    meanwhile: Callable[[], Awaitable[None]] | None = None
    chance: random.Random = field(init=False)
    wrong: dict[int, str] = field(default_factory=dict)
    last_event: str | None = None
    moved: bool = False

    def __post_init__(self) -> None:
        self.chance = random.Random(f"company of {self.lives[0].seed}")

    @property
    def truth(self) -> Truth:
        return self.outside.truth

    async def play(self) -> None:
        """Play every life to its end."""
        try:
            await self.prepare()
            for number in range(max(life.size.rounds for life in self.lives)):
                await self.round(number)
                await self.settle()
                await self.compare()
                if not self.lives:
                    return
            await self._last_look()
        except Exception as error:
            for life in self.lives:
                self._went_wrong(life, error)

    async def prepare(self) -> None:
        """Play what happened before the first round, then settle and compare."""
        await self.truth.control("faults", **CALM)
        await self.truth.control(
            "settings",
            delayed_seconds=10**7,
            dunning_ends=self.chance.choice(("cancel", "unpaid", "pause", "past_due")),
            customer_accounts=self._customer_accounts(),
        )
        free = (await self.truth.post("coupons", percent_off=100, duration="once"))["id"]
        for life in self.lives:
            life.free = free
        await self.outside.commit(_remind)
        await self._each(lambda life: life.prepare())
        await self.outside.call("GET", "/stripe/products", params={"refresh": "true"})
        await self._each(lambda life: life.begin())
        await self.settle()
        await self.compare()

    def _customer_accounts(self) -> str:
        """How the shop's customers are accounts: not, beside the customer, or named alone."""
        chance = random.Random(f"accounts of {self.lives[0].seed}")
        return chance.choice(("none", "none", "beside", "alone"))

    async def _each(self, what: Callable[[Life], Awaitable[None]]) -> None:
        """Do something in all lives at once."""

        async def one(life: Life) -> None:
            try:
                await what(life)
            except Exception as error:
                self._went_wrong(life, error)

        await asyncio.gather(*(one(life) for life in self.lives))
        self.lives = [life for life in self.lives if life.seed not in self.wrong]

    def _went_wrong(self, life: Life, error: Exception) -> None:
        log = "\n".join(life.log)
        told = "".join(traceback.format_exception(error))
        self.wrong[life.seed] = f"{type(error).__name__}: {error}\n\n{log}\n\n{told}"

    async def round(self, number: int) -> None:
        """First acts by hand, then a change to the whole site, then people's moves side by side
        under faults."""
        self._note(f"round {number}")
        await self.truth.control("faults", **self.faults)
        await self._each(lambda life: life.act())
        match self.chance.choice(("clock", "clock", "clock", "clock", "policy", "none")):
            case "clock":
                await self._advance(self.chance.choice((1, 8, 31, 31, 31)))
            case "policy":
                await self._change_policy()
        together: list[Awaitable[None]] = [self._each(lambda life: life.round())]
        if self.meanwhile:
            together.append(self.meanwhile())
        await asyncio.gather(*together)
        if self.chance.random() < 0.5:
            await self._repeat_old_events()

    def _note(self, line: str) -> None:
        for life in self.lives:
            life.log.append(line)

    async def _advance(self, days: int) -> None:
        self._note(f"clock {days} days")
        self.moved = True
        await self.truth.control("clock/advance", seconds=days * DAY + 7200)
        await self._each(lambda life: life.clock_moved())

    async def _change_policy(self) -> None:
        cells = some_cells(self.chance)
        self._note(f"the site's policy {cells}")
        await self.outside.call("PUT", "/policy", json=cells)
        for life in self.lives:
            life.ruled(life.rules.with_site(cells))

    async def _repeat_old_events(self) -> None:
        """Deliver old events a second time."""
        events = (await self.truth.get("events", limit=100))["data"]
        for event in self.chance.sample(events, min(5 * len(self.lives), len(events))):
            await self.truth.control(f"events/{event['id']}/repeat")

    async def settle(self) -> None:
        """Wait until Latchkey has received and handled every event, and done what was due."""
        await self.truth.control("faults", **dict.fromkeys(("delay", "bad_signature"), 0.0))
        await self.truth.control("faults", drop=0, stale_timestamp=0)
        await self._each(lambda life: life.wait_for_ends())
        await self._repair_drops()
        await self.truth.control("faults", **CALM)

        async def settled() -> bool:
            rows = await self.outside.fetch(_UNSETTLED)
            return not any(rows[0].values())

        try:
            await until(settled, "everything is handled", seconds=PATIENCE)
        except AssertionError as error:
            raise WrongError(f"{error}\n{await self._unsettled()}") from None

    async def _repair_drops(self) -> None:
        """Catch up until no event is missing.

        Moving the clock dates events into the past. Stripe never does that, and a search by date
        would miss them: they are sent again, and so are those that only the hourly catch-up looks
        for.
        """
        endpoint = (await self.truth.get("webhook_endpoints"))["data"][0]
        enabled = set(endpoint["enabled_events"])
        await self.truth.control("idle", seconds=20)
        new = await self._new_events()
        sent = {e["id"]: e["type"] for e in new if e["type"] in enabled}

        async def complete() -> bool:
            missing = await self._missing(sent)
            for event in missing:
                if self.moved or not sent[event].startswith(LISTED_OFTEN):
                    await self.truth.control(f"events/{event}/repeat")
            if not missing:
                return True
            if not self.moved:
                await self.outside.catch_up()

            async def fewer() -> bool:
                return len(await self._missing(sent)) < len(missing)

            await within(fewer, FOUND_WITHIN)
            return False

        try:
            await until(complete, "every event is stored", seconds=PATIENCE)
        except AssertionError as error:
            raise WrongError(f"{error}: {await self._unfound(new, sent)}") from None
        self.last_event, self.moved = new[-1]["id"] if new else self.last_event, False

    async def _unfound(self, events: list[Json], sent: dict[str, str]) -> str:
        """Which events are missing, and how far catch-up has looked."""
        missing = await self._missing(sent)
        told = [
            (event["id"], event["type"], event["created"], event["data"]["object"]["id"])
            for event in events
            if event["id"] in missing
        ]
        parts = await self.outside.fetch("select now(), * from catch_up order by part")
        return f"{told}, {[dict(part) for part in parts]}"

    async def _missing(self, sent: dict[str, str]) -> set[str]:
        stored = await self.outside.fetch(
            "select id from events where id = any($1::text[])", list(sent)
        )
        return set(sent) - {row["id"] for row in stored}

    async def _new_events(self) -> list[Json]:
        """The events since the last settled moment, oldest first. Stripe's own list leaves out
        those that the clock has moved more than 30 days into the past."""
        found: list[Json] = []
        while True:
            last = found[-1]["id"] if found else self.last_event
            query = {"limit": 500, **({"after": last} if last else {})}
            answer = await self.truth.client.get("/_sandbox/events", params=query)
            page = answer.json()["data"]
            found += page if last else page[::-1]
            if not last or len(page) < 500:
                return found

    async def _unsettled(self) -> str:
        rows = await self.outside.fetch(
            "select id, type, state, target_kind, target_id, attempts, error from events"
            " where state in ('waiting', 'relayed') limit 10"
        )
        left = await self.outside.fetch(_UNSETTLED)
        site = await self.outside.fetch("select value from site_settings where key = 'identity'")
        return "\n".join(str(dict(row)) for row in [*left, *site, *rows])

    async def compare(self) -> None:
        """Compare every life with its model, and the whole site with itself."""
        failed = await self.outside.fetch("select id, error from events where state='failed'")
        if failed:
            raise WrongError(f"events failed: {[dict(row) for row in failed[:5]]}")
        await self._each(lambda life: life.judge.compare())
        problems = (await self.truth.client.get("/_sandbox/problems")).json()["data"]
        if problems:
            raise WrongError(f"the sandbox found its own answers wrong: {problems[:3]}")
        for life in self.lives:
            life.settled()

    async def _last_look(self) -> None:
        """What must hold at the end: the feed shows what the database holds, and Latchkey's own
        comparison with Stripe finds no differences but the dates that moving the clock has
        changed."""
        await self._judge_feed()
        await self._judge_reminders()
        made = await self.outside.call("POST", "/reconciliations", json={"dry_run": True})

        report: Json = {}

        async def done() -> bool:
            report.update(await self.outside.call("GET", f"/reconciliations/{made['id']}"))
            if report["state"] == "failed":
                raise WrongError(f"the reconciliation failed: {report['error']}")
            return bool(report["state"] == "done")

        try:
            await until(done, "the reconciliation", seconds=PATIENCE)
        except AssertionError as error:
            raise WrongError(f"{error}: {report}") from None
        drift = [
            one
            for one in report["differences"]
            if one["class"] != "foreign" and one["kind"] != "mirror_differs"
        ]
        if drift:
            raise WrongError(f"the reconciliation finds {drift[:5]}")

    async def _judge_feed(self) -> None:
        """`GET /activities` returns every line once."""
        shown: Counter[str] = Counter()
        after: dict[str, str] = {}
        while True:
            page = await self.outside.call("GET", "/activities", params={"limit": 200, **after})
            shown.update(line["type"] for line in page["data"])
            if page["next"] is None:
                break
            after = {"after": page["next"]}
        rows = await self.outside.fetch("select type, count(*) from activities group by 1")
        held = {row["type"]: row["count"] for row in rows}
        for type_ in COUNTED:
            if shown[type_] != held.get(type_, 0):
                raise WrongError(
                    f"the feed shows {shown[type_]} of {held.get(type_)} lines {type_}"
                )

    async def _judge_reminders(self) -> None:
        """Who left a checkout, a user or a guest, got an email only if they had consented, and one
        about each product; a merge adds up those of two users."""
        rows = await self.outside.fetch(
            """
            select a.session_id, a.product_id,
                   coalesce(a.user_id::text, a.address_digest::text) as buyer,
                   exists (select from user_merges where into_user = a.user_id) as merged
              from abandoned_checkouts a
            """
        )
        told = Counter((row["buyer"], row["product_id"]) for row in rows if not row["merged"])
        if twice := [pair for pair, count in told.items() if count > 1]:
            raise WrongError(f"two emails about a checkout that was left: {twice}")
        for row in rows:
            session = await self.truth.get(f"checkout/sessions/{row['session_id']}")
            consent = (session["consent"] or {}).get("promotions")
            if (session["status"], consent) != ("expired", "opt_in"):
                raise WrongError(
                    f"an email about {row['session_id']}: {session['status']} {consent}"
                )
        mails = await self.outside.fetch(
            "select count(*) from mails where kind = 'abandoned_checkout'"
        )
        if mails[0]["count"] != len(rows):
            raise WrongError(f"{mails[0]['count']} emails about {len(rows)} checkouts")


async def _remind(connection: Connection) -> None:
    """Have the site write to buyers who left a checkout."""
    await site_settings.change(connection, abandoned_mail=True)


async def within(condition: Callable[[], Awaitable[bool]], seconds: float) -> None:
    """Wait for a condition, for a limited time."""
    try:
        await until(condition, "", seconds=seconds)
    except AssertionError:
        return


_LEFT = {
    "events": "select count(*) from events where state in ('waiting', 'relayed')",
    "links": """
        select count(*) from links
         where (state = 'importing' and removed_at is null) or dispatched_at is null
    """,
    "policies": "select count(*) from policy_changes where state <> 'done'",
    "wakeups": "select count(*) from wakeups",
    "ends": "select count(*) from grants where ended_at is null and until <= now()",
    "payment_links": "select count(*) from payment_links where not settled",
    "orphans": "select count(*) from checkout_attempts where orphaned",
}
"""What is still waiting to be done."""
_UNSETTLED = "select " + ", ".join(f"({query}) as {name}" for name, query in _LEFT.items())
