"""Outgoing webhooks arrive, signed and in order, whatever the receiver does."""

import asyncio
import html
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
import pytest
from standardwebhooks import Webhook, WebhookVerificationError
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.base import ActivityDeps
from activities.webhooks import WebhookActivities
from latchkey import webhook_messages, webhook_signing
from latchkey.contracts import SendWebhooksResult
from latchkey.keyring import Keyring
from latchkey.mail import letters
from latchkey.outgoing_addresses import Destination, networks
from latchkey.outgoing_http import OutgoingHttp
from latchkey.rules.vocabulary import WebhookFormat, WebhookType
from latchkey.store import site_identity
from latchkey.store.access import complimentary, grants
from latchkey.store.access.complimentary import ComplimentaryGrant
from latchkey.store.feed import mails
from latchkey.store.pool import Connection, Pool
from latchkey.store.site_settings import SiteSettings
from latchkey.store.webhooks import deliveries, endpoints, events
from latchkey.store.webhooks.deliveries import Delivery, ToldProduct, ToldUser
from latchkey.vault import Purpose, Vault
from tests.harness import KEY, SECRETS, until
from tests.receiver import Received, answering, receiving
from web.api import openapi

pytestmark = pytest.mark.anyio

NOW = datetime(2027, 1, 1, tzinfo=UTC)

VAULT = Vault(SECRETS)
SITE = "https://members.example.com"
SECRET = webhook_signing.new_secret()
HERE = networks(["127.0.0.0/8"])


@asynccontextmanager
async def sending(
    pool: Pool, *, own: int = 1, seconds: float = 20, public_url: str = SITE
) -> AsyncIterator[Callable[[str], Coroutine[None, None, SendWebhooksResult]]]:
    """Runs the Temporal activity that sends. `own` is the port of this site."""
    keyring = Keyring(pool, VAULT, key=KEY, secrets=[], api_base=None, address=public_url)
    outgoing = OutgoingHttp(
        own=[Destination("http", "127.0.0.1", own)], allowed=HERE, total_seconds=seconds
    )
    activity = WebhookActivities(
        ActivityDeps(pool, keyring, SECRETS), outgoing, public_url=public_url
    )

    async def send(endpoint_id: str) -> SendWebhooksResult:
        while await pool.fetchval("select exists (select from webhook_facts)"):
            await events.make(pool)
        result: SendWebhooksResult = await ActivityEnvironment().run(activity.send, endpoint_id)
        return result

    try:
        yield send
    finally:
        await outgoing.aclose()
        await keyring.close()


async def endpoint(pool: Pool, url: str, *types: str, format_: str = "json") -> str:
    await pool.execute(
        "insert into products (id, slug, name) values ('p', 'course', 'Course')"
        " on conflict do nothing"
    )
    async with pool.acquire() as connection, connection.transaction():
        return await endpoints.create(
            connection,
            format_=WebhookFormat(format_),
            url=VAULT.seal(url, Purpose.WEBHOOK_URL),
            host="127.0.0.1",
            description="",
            types=types or ["access.granted", "access.ending", "access.ended"],
            secret=VAULT.seal(SECRET, Purpose.OUTGOING_SECRET) if format_ == "json" else None,
            actor=None,
        )


async def doing(pool: Pool, act: Callable[[Connection], Awaitable[Any]]) -> Any:
    async with pool.acquire() as connection, connection.transaction():
        return await act(connection)


async def give(pool: Pool, *emails: str, name: str | None = None) -> list[int]:
    gifts = [ComplimentaryGrant(email, name=name) for email in emails]
    given = await doing(pool, lambda c: complimentary.give(c, "p", gifts, actor=None, mail=False))
    return list(given.grants.values())


async def end(pool: Pool, grant_id: int) -> None:
    await doing(pool, lambda c: grants.end(c, grant_id, actor=None))


async def state(pool: Pool, endpoint_id: str) -> endpoints.Endpoint:
    async with pool.acquire() as connection:
        found = await endpoints.find(connection, endpoint_id)
    assert found is not None
    return found


async def log(pool: Pool, endpoint_id: str) -> list[deliveries.LoggedDelivery]:
    async with pool.acquire() as connection:
        return await deliveries.listed(connection, endpoint_id)


async def test_a_receiver_verifies_what_it_gets(pool: Pool) -> None:
    async with receiving() as receiver, sending(pool) as send:
        one = await endpoint(pool, receiver.url)
        await give(pool, "ada@x.example")
        result = await send(one)
    assert (result.delivered, result.failed, result.next_at) == (1, 0, None)
    [request] = receiver.received
    payload = request.verified(SECRET)
    user = await pool.fetchval("select id from users")
    moment = payload.pop("timestamp")
    assert payload == {
        "type": "access.granted",
        "version": 1,
        "data": {
            "user": {"id": user, "email": "ada@x.example"},
            "product": {"id": "p", "slug": "course", "name": "Course"},
            "source": {"type": "manual", "id": None},
            "until": None,
        },
    }
    assert moment.endswith("Z")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("Latchkey/")
    with pytest.raises(WebhookVerificationError):
        request.verified(webhook_signing.new_secret())
    [logged] = await log(pool, one)
    assert (logged.state, logged.status, logged.attempts) == ("delivered", 204, 1)
    async with pool.acquire() as connection:
        [attempt] = await deliveries.attempts(connection, logged.id)
    assert attempt.request == request.body


def test_signatures_are_those_of_the_published_vector() -> None:
    """The one in the specification of Standard Webhooks."""
    made = webhook_signing.headers(
        '{"test": 2432232314}',
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        at=datetime.fromtimestamp(1614265330, UTC),
        signing=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )
    assert made == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


async def test_retries_keep_the_message_id_and_the_order(pool: Pool) -> None:
    answers = answering("500 Oops", "204 No Content")
    async with receiving(answers) as receiver, sending(pool) as send:
        one = await endpoint(pool, receiver.url)
        [grant] = await give(pool, "ada@x.example")
        await end(pool, grant)
        result = await send(one)
        assert (result.delivered, result.failed) == (0, 1)
        assert result.next_at is not None
        await pool.execute("update webhook_deliveries set due_at = now()")
        result = await send(one)
        assert (result.delivered, result.failed, result.next_at) == (2, 0, None)
    first, again, second = receiver.received
    assert first.headers["webhook-id"] == again.headers["webhook-id"]
    assert second.headers["webhook-id"] != first.headers["webhook-id"]
    assert receiver.types == ["access.granted", "access.granted", "access.ended"]
    newest, oldest = await log(pool, one)
    assert (oldest.attempts, newest.attempts) == (2, 1)


async def test_a_user_whose_event_fails_holds_up_nobody_else(pool: Pool) -> None:
    async def answer(request: Received) -> str:
        return "500 Oops" if "ada@" in request.body else "200 OK"

    async with receiving(answer) as receiver, sending(pool) as send:
        one = await endpoint(pool, receiver.url)
        grants_ = await give(pool, "ada@x.example", "bob@x.example")
        for grant in grants_:
            await end(pool, grant)
        await send(one)
    ended = [r for r in receiver.received if r.json["type"] == "access.ended"]
    assert [r.json["data"]["user"]["email"] for r in ended] == ["bob@x.example"]
    assert (await state(pool, one)).failures in (0, 1), "a success ends what failed in a row"


async def test_what_a_crash_leaves_is_sent_again(pool: Pool) -> None:
    """The worker dies after the receiver had the event and before that is noted: the same event
    comes twice, with the same id, and nothing is lost."""
    arrived = asyncio.Event()

    async def answer(_: Received) -> str:
        arrived.set()
        await asyncio.Event().wait()
        return "200 OK"

    async with receiving(answer) as receiver, sending(pool) as send:
        one = await endpoint(pool, receiver.url)
        await give(pool, "ada@x.example")
        dying = asyncio.create_task(send(one))
        await arrived.wait()
        dying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dying
        receiver.answer = answering("200 OK")
        assert (await send(one)).delivered == 1
    first, again = receiver.received
    assert first.headers["webhook-id"] == again.headers["webhook-id"]


async def test_an_endpoint_that_hangs_is_given_up_in_time(pool: Pool) -> None:
    over = asyncio.Event()

    async def answer(_: Received) -> str:
        await over.wait()
        return "200 OK"

    async with receiving(answer) as receiver, sending(pool, seconds=0.2) as send:
        one = await endpoint(pool, receiver.url)
        await give(pool, *(f"m{n}@x.example" for n in range(30)))
        result = await send(one)
        over.set()
    assert result.delivered == 0
    assert result.next_at is not None
    assert len(receiver.received) < 30, "an endpoint that fails again and again rests"
    found = await state(pool, one)
    assert found.rests_until is not None
    [last, *_] = [row for row in await log(pool, one) if row.attempts]
    assert last.error == "it didn't answer within 0.2 s"


async def test_one_event_finds_out_whether_a_rest_is_over(pool: Pool) -> None:
    async with receiving(answering("503 Down")) as receiver, sending(pool) as send:
        one = await endpoint(pool, receiver.url)
        await give(pool, *(f"m{n}@x.example" for n in range(40)))
        await send(one)
        tried = len(receiver.received)
        assert tried < 40
        assert (await send(one)).failed == 0, "it rests"
        assert len(receiver.received) == tried
        await pool.execute("update webhook_endpoints set rests_until = now()")
        await send(one)
        assert len(receiver.received) == tried + 1, "one event finds out"
        receiver.answer = answering("200 OK")
        await pool.execute("update webhook_endpoints set rests_until = now()")
        assert (await send(one)).delivered >= 40 - tried - 1, (
            "what was never tried goes out at once"
        )
        await pool.execute("update webhook_deliveries set due_at = now()")
        await send(one)
    assert {row.state for row in await log(pool, one)} == {"delivered"}
    found = await state(pool, one)
    assert (found.failures, found.failing_since, found.rests_until) == (0, None, None)


async def test_three_days_of_failures_switch_it_off_and_say_so(pool: Pool) -> None:
    await pool.execute(
        "insert into users (email, role) values ('owner@x.example', 'owner'),"
        " ('admin@x.example', 'admin'), ('help@x.example', 'support')"
    )
    async with receiving(answering("500 Oops")) as receiver, sending(pool) as send:
        one = await endpoint(pool, receiver.url)
        await give(pool, "ada@x.example")
        assert (await send(one)).next_at is not None
        await pool.execute("update webhook_endpoints set failing_since = now() - interval '3 days'")
        await pool.execute("update webhook_deliveries set due_at = now()")
        result = await send(one)
        assert (result.failed, result.next_at, result.more) == (1, None, False)
        found = await state(pool, one)
        assert found.off_reason == "it answered 500"
        await give(pool, "bob@x.example")
        assert await send(one) == SendWebhooksResult(), "nothing is sent to it any more"
        rows = await pool.fetch(
            "select u.email from mails m join users u on u.id = m.user_id"
            " where kind = 'webhooks_off' order by 1"
        )
        assert [row["email"] for row in rows] == ["admin@x.example", "owner@x.example"]
        async with pool.acquire() as connection:
            [mail, _] = await mails.listed(connection, kind="webhooks_off")
        said = letters.letter(mail, SiteSettings())
        assert said.subject == "Webhooks to 127.0.0.1 were switched off"
        receiver.answer = answering("200 OK")
        await doing(pool, lambda c: endpoints.resume(c, one))
        assert (await send(one)).delivered == 2, "nothing was lost"


async def test_an_event_that_alone_fails_for_three_days_is_given_up(pool: Pool) -> None:
    """The endpoint takes the others, so it stays on, and the user's next event is sent."""

    async def answer(request: Received) -> str:
        return "500 Oops" if request.json["type"] == "access.granted" else "200 OK"

    async with receiving(answer) as receiver, sending(pool) as send:
        one = await endpoint(pool, receiver.url)
        [grant] = await give(pool, "ada@x.example")
        await end(pool, grant)
        await send(one)
        await pool.execute(
            "update webhook_deliveries set due_at = now(),"
            " first_tried_at = first_tried_at - interval '3 days'"
        )
        await send(one)
    newest, oldest = await log(pool, one)
    assert (oldest.state, newest.state) == ("failed", "delivered")
    assert (await state(pool, one)).off_at is None


@pytest.mark.parametrize("other", ["200 OK", "500 Broken"])
async def test_an_endpoint_says_when_to_come_back(pool: Pool, other: str) -> None:
    """Also if another request, which was under way, is answered afterwards."""
    begun, answered = asyncio.Event(), asyncio.Event()

    async def answer(request: Received) -> str:
        if "ada@" in request.body:
            await begun.wait()
            return "429 Slow down"
        begun.set()
        await answered.wait()
        return other

    async with receiving(answer) as receiver, sending(pool) as send:
        receiver.headers = "Retry-After: 90\r\n"
        one = await endpoint(pool, receiver.url)
        await give(pool, "ada@x.example", "bob@x.example")
        sent = asyncio.create_task(send(one))

        async def rests() -> bool:
            return (await state(pool, one)).rests_until is not None

        await until(rests, "the endpoint rests")
        answered.set()
        result = await sent
        found = await state(pool, one)
    assert found.rests_until is not None
    tried = await pool.fetchval("select min(first_tried_at) from webhook_deliveries")
    assert found.rests_until - tried == timedelta(seconds=90)
    assert (result.delivered, result.failed) == ((1, 1) if other == "200 OK" else (0, 2))
    assert result.next_at == found.rests_until


async def test_gone_switches_off_at_once(pool: Pool) -> None:
    async with receiving(answering("410 Gone")) as receiver, sending(pool) as send:
        one = await endpoint(pool, receiver.url)
        await give(pool, "ada@x.example")
        await send(one)
    assert (await state(pool, one)).off_at is not None


async def test_redirects_are_failures(pool: Pool) -> None:
    async with receiving() as other, receiving(answering("307 Elsewhere")) as receiver:
        receiver.headers = f"location: {other.url}\r\n"
        async with sending(pool) as send:
            one = await endpoint(pool, receiver.url)
            await give(pool, "ada@x.example")
            assert (await send(one)).failed == 1
    assert other.received == []
    [logged] = await log(pool, one)
    assert logged.status == 307


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("https://10.0.0.1/", "isn't an address on the internet"),
        ("http://93.184.216.34/", "https://"),
        ("http://127.0.0.1:{port}/", "this site's own address"),
    ],
)
async def test_an_address_that_must_not_be_reached_is_a_failure(
    pool: Pool, url: str, error: str
) -> None:
    """Also if it was allowed when it was entered."""
    async with receiving() as receiver, sending(pool, own=receiver.port) as send:
        one = await endpoint(pool, url.format(port=receiver.port))
        await give(pool, "ada@x.example")
        assert (await send(one)).failed == 1
    assert receiver.received == []
    [logged] = await log(pool, one)
    assert error in str(logged.error)


async def test_both_secrets_sign_for_a_day(pool: Pool) -> None:
    other = webhook_signing.new_secret()
    async with receiving() as receiver, sending(pool) as send:
        one = await endpoint(pool, receiver.url)
        sealed = VAULT.seal(other, Purpose.OUTGOING_SECRET)
        await doing(pool, lambda c: endpoints.rotate(c, one, secret=sealed))
        await give(pool, "ada@x.example")
        await send(one)
        await pool.execute("update webhook_endpoints set earlier_until = now()")
        await give(pool, "bob@x.example")
        await send(one)
    both, new = receiver.received
    assert both.verified(SECRET) == both.verified(other)
    new.verified(other)
    with pytest.raises(WebhookVerificationError):
        new.verified(SECRET)


async def test_a_paused_endpoint_gets_what_happened_once_it_is_resumed(pool: Pool) -> None:
    async with receiving() as receiver, sending(pool) as send:
        one = await endpoint(pool, receiver.url)
        await doing(pool, lambda c: endpoints.pause(c, one))
        await give(pool, "ada@x.example")
        assert await send(one) == SendWebhooksResult()
        await doing(pool, lambda c: endpoints.resume(c, one))
        assert (await send(one)).delivered == 1
        await doing(pool, lambda c: endpoints.delete(c, one))
        await give(pool, "bob@x.example")
        assert await send(one) == SendWebhooksResult()
    assert len(receiver.received) == 1


async def test_a_copy_of_a_site_sends_nothing(pool: Pool) -> None:
    async with receiving() as receiver:
        one = await endpoint(pool, receiver.url)
        await doing(pool, lambda c: site_identity.settle(c, SITE))
        await give(pool, "ada@x.example")
        async with sending(pool, public_url="https://staging.example.com") as send:
            assert await send(one) == SendWebhooksResult()
        async with sending(pool) as send:
            assert (await send(one)).delivered == 1
    assert len(receiver.received) == 1


async def test_a_message_that_can_not_be_written_fails_alone(pool: Pool) -> None:
    async with receiving() as receiver, sending(pool) as send:
        one = await endpoint(pool, receiver.url)
        await give(pool, "ada@x.example")
        while await pool.fetchval("select exists (select from webhook_facts)"):
            await events.make(pool)
        await pool.execute("""update webhook_events set data = '{"until": "never"}'""")
        await give(pool, "bob@x.example")
        result = await send(one)
    assert (result.delivered, result.failed) == (1, 1)
    assert "ValueError" in str((await log(pool, one))[-1].error)


async def test_the_database_going_away_leaves_no_personal_data_in_the_history(pool: Pool) -> None:
    async with receiving() as receiver, sending(pool) as send:
        one = await endpoint(pool, receiver.url)
        await pool.execute("alter table webhook_events rename to gone")
        with pytest.raises(ApplicationError, match="unexpected UndefinedTableError: see"):
            await send(one)


HOSTILE = "<!channel> @everyone *<https://evil.example|Your bank>* [x](https://evil.example) \u202e"


async def test_slack_reads_no_mention_or_link_in_a_name(pool: Pool) -> None:
    async with receiving() as receiver, sending(pool) as send:
        one = await endpoint(pool, receiver.url, format_="slack")
        await give(pool, "ada@x.example", name=HOSTILE)
        await send(one)
    [request] = receiver.received
    said = request.json
    assert said["text"].startswith("Latchkey: &lt;!channel&gt; @everyone *&lt;https://")
    assert said["text"].endswith("(ada@x.example) now has access to Course.")
    assert "<" not in said["text"]
    assert "\u202e" not in said["text"]
    assert (said["mrkdwn"], said["unfurl_links"]) == (False, False)
    assert "webhook-signature" not in request.headers


async def test_discord_reads_no_mention_or_link_in_a_name(pool: Pool) -> None:
    async with receiving() as receiver, sending(pool) as send:
        one = await endpoint(pool, receiver.url, format_="discord")
        await give(pool, "ada@x.example", name=HOSTILE)
        await send(one)
    said = receiver.received[0].json
    assert said["allowed_mentions"] == {"parse": []}
    assert r"\[x\]\(https\://evil.example\)" in said["content"]
    assert r"\<\!channel" not in said["content"]
    assert r"\<!channel\> \@everyone \*\<https" in said["content"]


async def test_two_users_are_told_side_by_side(pool: Pool) -> None:
    """The second request arrives while the first is still unanswered."""
    both = asyncio.Event()

    async def answer(_: Received) -> str:
        await both.wait()
        return "200 OK"

    async with receiving(answer) as receiver, sending(pool) as send:
        one = await endpoint(pool, receiver.url)
        await give(pool, "ada@x.example", "bob@x.example")
        running = asyncio.create_task(send(one))
        await receiver.got(2)
        both.set()
        assert (await running).delivered == 2


def test_a_receiver_needs_the_right_body() -> None:
    secret = webhook_signing.new_secret()
    headers = webhook_signing.headers(
        '{"a": 1}', message_id="msg_1", at=datetime.now(UTC), signing=[secret]
    )
    assert Webhook(secret).verify('{"a": 1}', headers) == {"a": 1}
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify('{"a": 2}', headers)


@pytest.mark.parametrize("type_", [*WebhookType, "future.type"])
@pytest.mark.parametrize("name", ["&" * 500, "*" * 500, "\N{CRAB}" * 500])
def test_the_longest_names_fit_with_every_escape_whole(name: str, type_: str) -> None:
    user, product = ToldUser(7, name, name), ToldProduct("p", name, name)
    data = {"until": NOW.isoformat(), "amount": 5, "currency": "usd", "merged_user": 8}
    delivery = Delivery(1, "msg_1", type_, NOW, user, product, data, 0, None)
    said = webhook_messages.sentence(delivery, site=name)
    slack = json.loads(webhook_messages.body(delivery, WebhookFormat.SLACK, site=name))["text"]
    assert html.unescape(slack) == said
    assert len(slack) <= 4000
    made = json.loads(webhook_messages.body(delivery, WebhookFormat.DISCORD, site=name))
    assert re.sub(r"\\(.)", r"\1", made["content"]) == said
    assert len(made["content"].encode("utf-16-le")) // 2 <= 2000


def test_every_type_is_described_as_it_is_sent() -> None:
    """The payloads of made-up events of every type fit the OpenAPI description."""
    document = json.loads(openapi.document())
    assert set(document["webhooks"]) == {type_.value for type_ in WebhookType}
    until_ = (NOW + timedelta(days=9)).isoformat()
    for type_ in WebhookType:
        data: dict[str, Any] = {}
        if type_.startswith(("access", "purchase", "subscription")):
            data = {"source": {"type": "subscription", "id": "sub_1"}}
        if type_ in (WebhookType.ACCESS_GRANTED, WebhookType.ACCESS_ENDING):
            data |= {"until": until_}
        if type_ is WebhookType.SUBSCRIPTION_CANCELLED:
            data |= {"until": None}
        if type_ is WebhookType.ACCESS_ENDED:
            data |= {"reason": "refunded"}
        if type_ is WebhookType.PURCHASE_REFUNDED:
            data |= {"amount": 5, "currency": "usd", "full": True}
        if type_ is WebhookType.USER_MERGED:
            data |= {"merged_user": 8}
        about = type_ is not WebhookType.TEST
        delivery = Delivery(
            1,
            "msg_1",
            type_.value,
            NOW,
            ToldUser(7, "ada@x.example", "Ada") if about else None,
            ToldProduct("p", "course", "Course") if "source" in data else None,
            data,
            0,
            None,
        )
        made = webhook_messages.payload(delivery)
        body = document["webhooks"][type_.value]["post"]["requestBody"]
        schema = body["content"]["application/json"]["schema"]
        jsonschema.validate(made, schema | {"components": document["components"]})
        wrong = made | {"version": 2}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema | {"components": document["components"]})
        said = webhook_messages.sentence(delivery, site="Site")
        assert said.startswith("Site: ")
        assert said.endswith(".")
        assert not about or type_.value not in said, "it is said in words"
