"""The Health page: what needs attention comes first, with what to do, and the rest is folded."""

from datetime import UTC, datetime

import pytest

from latchkey.store.checks.findings import Finding, FindingKind
from tests.harness import Latchkey, until
from tests.web.pages import visit
from tests.web.test_admin_users import words
from web import alarms

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("kind", FindingKind)
def test_everything_that_can_be_wrong_says_what_to_do(kind: FindingKind) -> None:
    found = Finding(kind, 2, datetime(2027, 1, 1, tzinfo=UTC), "the detail")
    [todo] = alarms._alarms([found]).todo
    assert todo.text
    assert len(todo.advice) > 10
    assert not todo.text.endswith(".")
    assert not todo.advice.endswith(".")


RARE = "customer.subscription.pending_update_expired"


async def test_types_that_did_not_arrive_are_shown_and_the_others_folded(shared: Latchkey) -> None:
    """Of a type that Stripe has sent, as its list of events says."""
    async with visit(shared) as admin:
        await admin.sign_in()

        async def shown() -> tuple[bool, bool]:
            """Whether the type is among what is shown at once, and among what is folded."""
            at_once, _, folded = (await admin.get("/admin/health")).text.partition('id="fine"')
            assert "Event types that didn" not in folded
            return f'type={RARE}"' in at_once, f'type={RARE}"' in folded

        assert await shown() == (False, True)
        await shared.pool.execute(
            "insert into sent_events (type, event_id, created_at) values ($1, 'evt_rare', now())",
            RARE,
        )
        try:
            assert await shown() == (True, False)
        finally:
            await shared.pool.execute("delete from sent_events where type = $1", RARE)


async def test_what_needs_attention_comes_first_and_says_what_to_do(shared: Latchkey) -> None:
    await shared.pool.execute(
        """
        insert into processes (id, kind, release, stuck, seen_at)
        values ('a stuck one', 'worker', '1', '{relay of mails}', now() + interval '1 minute')
        """
    )
    async with visit(shared) as admin:
        await admin.sign_in()

        async def told() -> bool:
            text = words((await admin.get("/admin/health")).text)
            return "see that process's log" in text.lower() and "attention" in text

        shared.forget_alarms()
        try:
            await until(told, "the page says what to do")
            text = (await admin.get("/admin/health")).text
            assert "data-alarm" not in text, "it isn't said twice"
            assert "data-alarm" in (await admin.get("/admin/users")).text
            assert text.index("relay of mails: stuck") < text.index('id="fine"')
        finally:
            await shared.pool.execute("delete from processes where id = 'a stuck one'")
            shared.forget_alarms()
