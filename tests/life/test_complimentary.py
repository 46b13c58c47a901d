"""Complimentary access: to one, to many, by collection, and its end; Stripe never changes it."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.harness import Json, Latchkey, shortly, until
from tests.life.play import granted, linked, types
from tests.web.pages import visit
from web.pages.admin.bulk_grants import read_grants

pytestmark = pytest.mark.anyio


def soon(seconds: float | None = None) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds or shortly())).isoformat()


async def test_complimentary_access_ends_by_timer_with_an_activity_line(site: Latchkey) -> None:
    product = await site.product()
    path = f"/products/{product}/grants"
    far = {"email": "far@gift.example", "until": soon(3600), "reason": "later"}
    await site.call("POST", path, 201, json=far)
    await site.stop_worker()
    near = {"email": "near@gift.example", "until": soon(), "reason": "a guest"}
    await site.call("POST", path, 201, json=near)
    await site.has(product, "near@gift.example", access=False)
    assert await site.lines(type="access_ended", product=product) == []
    await site.start_worker()

    async def line() -> list[Json]:
        return await site.lines(type="access_ended", product=product)

    ended = await until(line, "the end is in the feed")
    assert [(e["cause"], e["data"]["reason"]) for e in ended] == [("timer", "until_reached")]
    assert ended[0]["at"][:19] == near["until"][:19]
    await site.call("POST", path, 201, json=far | {"until": soon()})

    async def both() -> bool:
        return len(await site.lines(type="access_ended", product=product)) == 2

    await until(both, "an end that was moved nearer rings nearer")


async def test_a_later_end_replaces_the_earlier_one(site: Latchkey) -> None:
    product = await site.product()
    path = f"/products/{product}/grants"
    await site.call("POST", path, 201, json={"email": "m@gift.example", "until": soon()})
    await site.call("POST", path, 201, json={"email": "m@gift.example", "until": None})
    await site.call("POST", path, 201, json={"email": "n@gift.example", "until": soon()})

    async def line() -> list[Json]:
        return await site.lines(type="access_ended", product=product)

    ended = await until(line, "the other one ends")
    assert [e["email"] for e in ended] == ["n@gift.example"]
    assert (await site.access(product, "m@gift.example"))["access"] is True


async def test_stripe_events_never_change_complimentary_access(shared: Latchkey) -> None:
    product, _, price = await linked(shared)
    body = {"email": "both@gift.example", "reason": "founder"}
    await shared.call("POST", f"/products/{product}/grants", 201, json=body)
    made = await shared.stripe.subscribe("both@gift.example", price)
    await granted(shared, product, "both@gift.example", 2)
    await shared.stripe.delete(f"subscriptions/{made['id']}")
    grants = await granted(shared, product, "both@gift.example", 1)
    assert grants[0]["source"] == "manual"
    mails = await shared.pool.fetchval(
        "select count(*) from mails where product_id = $1 and kind = 'product_access'", product
    )
    assert mails == 1, "who has access already isn't told again"


async def test_access_is_given_to_many_at_once(shared: Latchkey) -> None:
    product = await shared.product()
    gifts = [{"email": f"p{n}@many.example", "reason": "event"} for n in range(300)]
    path = f"/products/{product}/grants/bulk"
    done = await shared.call("POST", path, json={"grants": gifts, "mail": False})
    assert done == {"granted": 300, "changed": 0, "users_created": 300}
    again = await shared.call("POST", path, json={"grants": [*gifts, gifts[0]], "mail": False})
    assert again == {"granted": 0, "changed": 300, "users_created": 0}
    assert (await shared.access(product, "p299@many.example"))["access"] is True
    bad = await shared.api.post(path, json={"grants": [gifts[0], {"email": "nonsense"}]})
    assert bad.status_code == 422
    assert "grants.1.email" in bad.json()["detail"]
    lines = await shared.pool.fetchval(
        "select count(*) from activities where product_id = $1 and type = 'manual_grant'", product
    )
    assert lines == 300


def test_a_list_is_read_and_its_bad_lines_reported() -> None:
    end = datetime(2031, 5, 1, tzinfo=UTC)
    good, bad = read_grants(
        "email;reason;until\nann@l.example;speaker;2030-01-31\nbob@l.example;;\n"
        "nobody;;\nann@l.example;;\ncarl@l.example;;soon\ndora@l.example;;2001-01-01\n\n",
        until=end,
        reason="list",
    )
    assert [(g.email, g.reason) for g in good] == [
        ("ann@l.example", "speaker"), ("bob@l.example", "list"),
    ]  # fmt: skip
    assert good[0].until == datetime(2030, 1, 31, 23, 59, 59, tzinfo=UTC)
    assert good[1].until == end
    assert [line.number for line in bad] == [4, 5, 6, 7]
    assert ["valid email" in bad[0].problem, "already" in bad[1].problem] == [True, True]
    assert ["t a date" in bad[2].problem, "past" in bad[3].problem] == [True, True]
    with pytest.raises(ValueError, match="Choose a file"):
        read_grants("", until=None, reason="")


async def test_admins_confirm_a_list_before_it_is_given(shared: Latchkey) -> None:
    product = await shared.product("Listed")
    lines = "one@list.example,2033-01-01,guest\nbroken\n"
    async with visit(shared) as visitor:
        await visitor.sign_in()
        target = f"product:{product}"
        looked = await visitor.send(
            "/admin/grants", expect=200, target=target, lines=lines, mail="yes", do="look"
        )
        assert "1 person gets access" in looked.text
        assert "t a valid email address" in looked.text
        assert (await shared.access(product, "one@list.example"))["access"] is False
        await visitor.send("/admin/grants", target=target, lines=lines, mail="yes", do="give")
        assert (await shared.access(product, "one@list.example"))["until"] is not None
        await visitor.send("/admin/grants", expect=422, target="", lines=lines, do="give")
        await visitor.send("/admin/grants", expect=422, target=target, lines="", do="look")


async def test_a_collection_gives_its_products_including_later_ones(shared: Latchkey) -> None:
    first, second, third = [await shared.product(f"Part {n}") for n in range(3)]
    body = {"name": "All of it", "products": [first, second]}
    group = await shared.call("POST", "/collections", 201, json=body)
    path = f"/collections/{group['id']}"
    holder = await shared.call("POST", f"{path}/grants", 201, json={"email": "c@col.example"})
    for product in (first, second):
        found = await shared.access(product, "c@col.example")
        assert [g["source"] for g in found["grants"]] == ["collection"]
    await shared.call("PATCH", path, json={"products": [second, third]})
    assert (await shared.access(first, "c@col.example"))["access"] is False
    assert (await shared.access(third, "c@col.example"))["access"] is True
    ended = await shared.lines(product=first, type="access_ended")
    assert [line["data"]["reason"] for line in ended] == ["collection_changed"]
    await shared.call("PATCH", path, 422, json={"products": ["prd_nothing"]})
    mails = await shared.pool.fetchval(
        "select count(*) from mails where user_id = $1 and kind = 'product_access'",
        holder["user_id"],
    )
    assert mails == 2, "one for the two products at once, one for the later one"
    grant = (await shared.access(third, "c@col.example"))["grants"][0]
    await shared.call("DELETE", f"/grants/{grant['id']}")
    await shared.call("PATCH", path, json={"products": [first, second, third]})
    assert (await shared.access(third, "c@col.example"))["access"] is False, "held"
    await shared.call("POST", f"/grants/{grant['id']}/lift")
    assert (await shared.access(third, "c@col.example"))["access"] is True
    await shared.call("DELETE", f"{path}/grants/{holder['id']}", 204)
    for product in (first, second, third):
        assert (await shared.access(product, "c@col.example"))["access"] is False
    assert (await shared.call("GET", path))["holders"] == 0
    await shared.call("DELETE", path, 204)
    await shared.call("GET", path, 404)


async def test_lifting_a_collection_hold_affects_only_that_holder(shared: Latchkey) -> None:
    product = await shared.product("Held by two")
    body = {"name": "For two", "products": [product]}
    group = await shared.call("POST", "/collections", 201, json=body)
    ended = {}
    for email in ("lifted@hold.example", "stays@hold.example"):
        await shared.call("POST", f"/collections/{group['id']}/grants", 201, json={"email": email})
        [grant] = (await shared.access(product, email))["grants"]
        ended[email] = (await shared.call("DELETE", f"/grants/{grant['id']}"))["id"]
    await shared.call("POST", f"/grants/{ended['lifted@hold.example']}/lift")
    assert (await shared.access(product, "lifted@hold.example"))["access"] is True
    assert (await shared.access(product, "stays@hold.example"))["access"] is False, "still held"
    lifted = await shared.lines(product=product, type="hold_lifted")
    assert [line["email"] for line in lifted] == ["lifted@hold.example"]


async def test_a_collection_can_end_and_its_holders_are_paged(site: Latchkey) -> None:
    product = await site.product("In it")
    async with visit(site) as visitor:
        await visitor.sign_in()
        made = await visitor.send("/admin/collections", name="Season")
        path = made.headers["location"].split("?")[0]
        await visitor.send(path, name="Season 2", product=product)
        ends = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
        await visitor.send(path, f"{path}/grants", email="page@col.example", until=ends)
        assert "page@col.example" in (await visitor.get(path)).text
        collection = path.rsplit("/", 1)[1]
        wanted = {"email": "page@col.example", "until": soon()}
        await site.call("POST", f"/collections/{collection}/grants", 201, json=wanted)
        await site.has(product, "page@col.example", access=False)

        async def line() -> list[Json]:
            return await site.lines(type="access_ended", product=product)

        ended = await until(line, "the end is in the feed")
        assert [e["cause"] for e in ended] == ["timer"]
        assert (await site.call("GET", f"/collections/{collection}"))["holders"] == 0
        await visitor.send(path, f"{path}/delete")
    assert "access_ended" in await types(site, product)


async def test_the_hold_is_shown_and_lifted_by_an_admin(shared: Latchkey) -> None:
    product, _, price = await linked(shared)
    await shared.stripe.subscribe("held@page.example", price)
    grant = (await granted(shared, product, "held@page.example", 1))[0]
    user = (await shared.call("DELETE", f"/grants/{grant['id']}"))["user_id"]
    async with visit(shared) as visitor:
        await visitor.sign_in()
        page = f"/admin/users/{user}"
        assert "Lift the hold" in (await visitor.get(page)).text
        await visitor.send(page, f"/admin/grants/{grant['id']}/lift")
        assert "Lift the hold" not in (await visitor.get(page)).text
    assert (await shared.access(product, "held@page.example"))["access"] is True


async def test_an_end_beyond_what_a_timer_reaches_holds_up_no_other(shared: Latchkey) -> None:
    product = await shared.product("Almost forever")
    path = f"/products/{product}/grants"
    far = {"email": "far@gift.example", "until": "9998-12-31T00:00:00Z"}
    await shared.call("POST", path, 201, json=far)
    soon = datetime.now(UTC) + timedelta(seconds=shortly())
    near = {"email": "near@gift.example", "until": soon.isoformat()}
    await shared.call("POST", path, 201, json=near)

    async def noted() -> bool:
        return bool(await shared.lines(type="access_ended", product=product, cause="timer"))

    await until(noted, "the nearer end is noted")
    assert (await shared.access(product, "far@gift.example"))["access"]
    run = await shared.temporal.get_workflow_handle("grant-endings").describe()
    assert run.status is not None
    assert run.status.name == "RUNNING"
