"""Sales pages in blocks: written by forms, shown to visitors."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from html import unescape
from typing import Any

import httpx
import pytest
from temporalio.testing import ActivityEnvironment

from activities.base import ActivityDeps
from activities.connection import ConnectionActivities
from latchkey.keyring import Keyring
from latchkey.vault import Vault
from tests.harness import KEY, SECRETS, Latchkey
from tests.web.pages import Visitor, user, visit
from tests.web.test_member_checkout import for_sale, opened

pytestmark = pytest.mark.anyio


@pytest.fixture
async def admin(shared: Latchkey) -> AsyncIterator[Visitor]:
    async with visit(shared) as made:
        await made.sign_in()
        yield made


async def started(site: Latchkey, admin: Visitor, name: str) -> tuple[str, str]:
    """A live, empty sales page: the address of its editor, and its own."""
    product = await site.product(name)
    base = f"/admin/products/{product}/sales-page"
    await admin.send(base, f"{base}/start", begin="template")
    await admin.send(base, edition="1", headline=f"About {name}", status="live")
    for block in reversed(blocks_of((await admin.get(base)).text)):
        await admin.send(base, f"{base}/blocks/{block}/delete")
    slug = (await site.call("GET", f"/products/{product}"))["slug"]
    return base, f"/sales/{slug}"


def blocks_of(text: str) -> list[str]:
    return re.findall(r'<li id="(blk_\w+)"', text)


async def add(
    admin: Visitor, base: str, kind: str, expect: int = 303, **fields: Any
) -> httpx.Response:
    """Add a block by its form."""
    page = f"{base}/blocks/new/{kind}"
    found = re.search(r'name="block_id" value="(blk_\w+)"', (await admin.get(page)).text)
    assert found, "the form names the block"
    given = {"block_id": found[1], "do": "save"} | fields
    return await admin.send(page, expect=expect, **given)


def plain(text: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


async def test_blocks_are_written_shown_moved_and_deleted(shared: Latchkey, admin: Visitor) -> None:
    base, address = await started(shared, admin, "Sb first")
    await add(admin, base, "text", body="## Why <b>so</b>\n\nBecause.")
    voices: dict[str, Any] = {"heading": "They say", "quote-2": "<i>Good</i>", "name-2": "Ann & Co"}
    await add(admin, base, "testimonials", **voices)
    asked: dict[str, Any] = {
        "heading": "Asked",
        "question-0": "How much?",
        "answer-0": "See **above**.",
        "question-1": "How long?",
        "answer-1": "A [year](https://year.example).",
    }
    await add(admin, base, "questions", **asked)
    await add(admin, base, "picture", image_url="https://pictures.example/a.png", alt="A boat")
    await add(admin, base, "plans", heading="Price", price_line="Free of charge", button="Take it")
    async with visit(shared) as stranger:
        page = (await stranger.get(address)).text
        assert "<h2>Why &lt;b&gt;so&lt;/b&gt;</h2>" in page
        assert "<blockquote>&lt;i&gt;Good&lt;/i&gt;</blockquote>" in page
        assert "Ann &amp; Co" in page
        assert "<strong>above</strong>" in page
        assert 'href="https://year.example"' in page
        assert 'src="https://pictures.example/a.png"' in page
        order = ["Why", "They say", "Asked", "How much?", "How long?", "Price", "Free of charge"]
        places = [plain(page).index(text) for text in order]
        assert places == sorted(places)

        blocks = blocks_of((await admin.get(base)).text)
        assert len(blocks) == 5
        for block, do in ((blocks[1], "up"), (blocks[4], "down"), (blocks[0], "sideways")):
            await admin.send(base, f"{base}/blocks/{block}/move", do=do)
        assert blocks_of((await admin.get(base)).text) == [blocks[1], blocks[0], *blocks[2:]]
        page = plain((await stranger.get(address)).text)
        assert page.index("They say") < page.index("Why")
        asked_again = await admin.get(f"{base}/blocks/{blocks[0]}/delete")
        assert "Delete this block?" in asked_again.text
        await admin.send(base, f"{base}/blocks/{blocks[0]}/delete")
        await admin.get(f"{base}/blocks/{blocks[0]}", 404)
        assert "Because" not in (await stranger.get(address)).text


async def test_a_form_keeps_what_was_typed_and_says_what_is_wrong(
    shared: Latchkey, admin: Visitor
) -> None:
    base, _ = await started(shared, admin, "Sb wrong")
    half: dict[str, Any] = {"quote-0": "Good", "name-2": "Ben"}
    refused = await add(admin, base, "testimonials", 422, **half)
    for field in ("name-0", "quote-2"):
        assert f'id="{field}-error"' in refused.text
    assert 'value="Ben"' in refused.text
    more = await add(admin, base, "testimonials", 200, **half | {"do": "more"})
    assert 'name="name-6"' in more.text
    assert 'value="Ben"' in more.text
    await add(admin, base, "testimonials", 422)
    await add(admin, base, "text", 422, body=" ")
    for image_url in ("", "javascript:alert(1)", "http://plain.example/a.png", "/pictures/none"):
        refused = await add(admin, base, "picture", 422, image_url=image_url)
        assert 'id="image_url-error"' in refused.text, image_url
    await add(admin, base, "plans", 422, button="b" * 61)
    long: dict[str, Any] = {"question-0": "q", "answer-0": "a" * 5001}
    await add(admin, base, "questions", 422, **long)
    await admin.get(f"{base}/blocks/new/hologram", 404)
    assert blocks_of((await admin.get(base)).text) == []


async def test_a_form_sent_twice_adds_one_block_and_an_old_one_changes_nothing(
    shared: Latchkey, admin: Visitor
) -> None:
    base, address = await started(shared, admin, "Sb twice")
    for _ in range(2):
        await add(admin, base, "text", block_id="blk_00000000000000aa", body="First")
    page = f"{base}/blocks/blk_00000000000000aa"
    await admin.send(page, edition="1", body="Second")
    late = await admin.send(page, expect=409, edition="1", body="Late")
    assert "Someone else saved this block" in late.text
    assert "Late</textarea>" in late.text
    edition = re.search(r'name="edition" value="(\d+)"', late.text)
    assert edition
    await admin.send(page, edition=edition[1], body="Late")
    assert plain((await admin.get(address)).text).count("Late") == 1


async def test_a_new_block_that_is_there_already_is_replaced_when_saved_again(
    shared: Latchkey, admin: Visitor
) -> None:
    """As after saving it, going back in the browser, and writing something else."""
    base, address = await started(shared, admin, "Sb back")
    given: dict[str, Any] = {"block_id": "blk_00000000000000ab"}
    await add(admin, base, "text", **given, body="First")
    refused = await add(admin, base, "text", 409, **given, body="Second")
    action = re.search(r'method="post" action="([^"]+blk_00000000000000ab)"', refused.text)
    edition = re.search(r'name="edition" value="(\d+)"', refused.text)
    assert action, "the form is that of the block that is there"
    assert edition
    await admin.send(action[1], edition=edition[1], body="Second")
    assert "Second" in (await admin.get(address)).text
    countdown = f"{base}/blocks/new/countdown"
    kept = "2090-01-31T12:00:00+00:00"
    shown = await admin.send(countdown, f"{countdown}/preview", 200, **given, kept=kept)
    assert "New block: Countdown" in shown.text, "a text isn't shown as a countdown"


async def test_a_preview_changes_nothing_and_is_framed_by_us_alone(
    shared: Latchkey, admin: Visitor
) -> None:
    base, address = await started(shared, admin, "Sb preview")
    new = f"{base}/blocks/new/text"
    shown = await admin.send(
        new, f"{new}/preview", 200, body="## Seen\n\n<script>alert(1)</script>"
    )
    assert "<h2>Seen</h2>" in shown.text
    assert "<script>alert" not in shown.text
    assert "Seen" not in (await admin.get(address)).text
    await add(admin, base, "plans", button="Take it")
    framed = await admin.get(f"{base}/preview")
    assert "frame-ancestors 'self'" in framed.headers["content-security-policy"]
    assert framed.headers["x-frame-options"] == "SAMEORIGIN"
    assert '<span class="button">Take it' in framed.text, "it leads nowhere"
    assert "Sign out" not in framed.text, "as visitors see it"
    for path in (address, base):
        answer = await admin.get(path)
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    async with visit(shared) as stranger:
        assert (await stranger.goes(f"{base}/preview")).startswith("/login")


async def test_support_reads_and_previews_but_saves_nothing(
    shared: Latchkey, admin: Visitor
) -> None:
    base, _ = await started(shared, admin, "Sb support")
    await add(admin, base, "text", body="Written")
    [block] = blocks_of((await admin.get(base)).text)
    async with visit(shared) as helper:
        helping = await user(shared, "support@blocks.example", "support")
        await helper.sign_in_as(helping, "blocks")
        page = f"{base}/blocks/{block}"
        assert "Save block" not in (await helper.get(page)).text
        preview = f"{base}/blocks/new/text/preview"
        assert "<em>other</em>" in (await helper.send(page, preview, 200, body="*other*")).text
        await helper.send(page, expect=403, edition="1", body="other")
        await helper.send(page, f"{page}/move", 403, do="up")
        await helper.send(page, f"{page}/delete", 403)
    assert "Written" in (await admin.get(f"{base}/preview")).text


async def test_a_block_is_moved_by_several_places(shared: Latchkey, admin: Visitor) -> None:
    base, address = await started(shared, admin, "Sb order")
    for body in ("Aaa", "Bbb", "Ccc"):
        await add(admin, base, "text", body=body)
    first, second, third = blocks_of((await admin.get(base)).text)
    for block, do, places, order in (
        (third, "up", "2", [third, first, second]),
        (third, "down", "99", [first, second, third]),
        (third, "up", "9" * 30, [first, second, third]),
        (third, "up", "-1", [first, second, third]),
        (first, "down", "1", [second, first, third]),
    ):
        await admin.send(base, f"{base}/blocks/{block}/move", do=do, places=places)
        assert blocks_of((await admin.get(base)).text) == order, (do, places)
    assert "Bbb Aaa Ccc" in plain((await admin.get(address)).text)


async def test_each_template_is_complete(shared: Latchkey, admin: Visitor) -> None:
    for number, template in enumerate(("membership", "course", "download")):
        product = await shared.product(f"Sb template {template}")
        base = f"/admin/products/{product}/sales-page"
        assert f'value="{template}"' in (await admin.get(base)).text
        await admin.send(base, f"{base}/start", begin=template)
        text = (await admin.get(base)).text
        assert "can't buy from this page" not in text
        found = ("What you get", "The lessons", "How it works")[number]
        shown = (await admin.get(f"{base}/preview")).text
        assert found in shown
        for block in blocks_of(text):
            page = (await admin.get(f"{base}/blocks/{block}")).text
            assert "is shown here once" not in page, "its form takes what the template holds"


async def test_a_template_is_in_the_language_of_who_starts_from_it(
    shared: Latchkey, admin: Visitor
) -> None:
    product = await shared.product("Sb Vorlage")
    base = f"/admin/products/{product}/sales-page"
    admin.client.headers["accept-language"] = "de"
    await admin.send(base, f"{base}/start", begin="download")
    shown = (await admin.get(f"{base}/preview")).text
    assert "Was drin ist" in shown
    assert "What is in it" not in shown


async def test_a_video_is_a_link_and_nothing_of_another_site_is_loaded(
    shared: Latchkey, admin: Visitor
) -> None:
    base, address = await started(shared, admin, "Sb video")
    await add(admin, base, "video", 422, url="http://video.example/1")
    await add(admin, base, "video", url="https://video.example/1", title="Two minutes")
    page = await admin.get(address)
    assert '<a class="video" href="https://video.example/1" rel="noopener noreferrer">' in page.text
    assert "Watch the video Two minutes" in plain(page.text)
    assert "frame-src" not in page.headers["content-security-policy"]
    assert "<iframe" not in page.text


async def test_a_countdown_ends_at_its_moment_and_says_so(shared: Latchkey, admin: Visitor) -> None:
    base, address = await started(shared, admin, "Sb countdown")
    texts: dict[str, Any] = {"text": "Early birds", "after": "Too late, bird"}
    await add(admin, base, "countdown", 422, **texts)
    await add(admin, base, "countdown", 422, ends_at="2020-01-31T12:00", **texts)
    await add(admin, base, "countdown", 422, ends_at="soon", **texts)
    late = await add(
        admin, base, "countdown", 422, ends_at="9999-12-31T23:59", zone="Pacific/Apia", **texts
    )
    assert "This must be a time between" in late.text
    await add(admin, base, "countdown", ends_at="2090-01-31T12:00", zone="Europe/Berlin", **texts)
    shown = (await admin.get(address)).text
    assert 'data-ends="2090-01-31T11:00:00+00:00"' in shown
    assert "Early birds" in shown
    assert "Too late, bird" not in shown
    [block] = blocks_of((await admin.get(base)).text)
    page = f"{base}/blocks/{block}"
    kept = re.search(r'name="kept" value="([^"]+)"', (await admin.get(page)).text)
    assert kept
    await admin.send(page, edition="1", kept=kept[1], zone="Asia/Tokyo", **texts | {"text": "Last"})
    assert 'data-ends="2090-01-31T11:00:00+00:00"' in (await admin.get(address)).text
    await admin.send(page, edition="2", kept="2021-01-31T12:00:00+00:00", **texts)
    over = (await admin.get(address)).text
    assert "Too late, bird" in over
    assert "Early birds" not in over
    assert "data-ends" not in over


async def test_a_countdown_with_a_code_ends_when_stripe_stops_taking_it(
    shared: Latchkey, admin: Visitor
) -> None:
    product, slug, *_ = await for_sale(shared, "Sb code", promotion_codes=True, payment_link=False)
    base, address = f"/admin/products/{product}/sales-page", f"/sales/{slug}"
    await admin.send(base, f"{base}/start", begin="template")
    await admin.send(base, edition="1", headline="Sb code", status="live")
    coupon = await shared.stripe.post("coupons", percent_off=50, duration="once")
    promotion = {"type": "coupon", "coupon": coupon["id"]}
    ends = 3_800_000_000
    await shared.stripe.post("promotion_codes", promotion=promotion, code="SBENDLESS")
    await shared.stripe.post("promotion_codes", promotion=promotion, code="SBENDS", expires_at=ends)
    for code, problem in (
        ("SBNONE", "no active promotion code"),
        ("SBENDLESS", "has no end in Stripe"),
        ("not a code", "must be letters"),
    ):
        moment: dict[str, Any] = {"ends_at": "2090-01-31T12:00", "promotion_code": code}
        refused = await add(admin, base, "countdown", 422, **moment)
        assert problem in refused.text, code
    earlier: dict[str, Any] = {"ends_at": "2060-01-31T12:00", "promotion_code": "SBENDS"}
    await add(admin, base, "countdown", **earlier)
    async with visit(shared) as stranger:
        page = unescape((await stranger.get(address)).text)
        assert f'data-ends="{datetime.fromtimestamp(ends, UTC).isoformat()}"' in page
        assert "Promotion code: SBENDS" in plain(page)
        buys = f"/buy/{slug}/checkout?promo="
        assert f'href="{buys}SBENDS"' in page
        assert f'href="{buys}OTHER"' in unescape(
            (await stranger.get(f"{address}?promo=OTHER")).text
        )
        session = await opened(shared, await stranger.goes(f"{buys}SBENDS"))
        assert session["total_details"]["amount_discount"] > 0
        block = blocks_of((await admin.get(base)).text)[-1]
        here = f"{base}/blocks/{block}"
        await shared.pool.execute(
            """
            update sales_pages
               set blocks = jsonb_set(blocks, '{-1,content,ends_at}',
                                      '"2021-01-31T12:00:00+00:00"')
             where product_id = $1
            """,
            product,
        )
        page = (await stranger.get(address)).text
        assert "This offer is over." in page
        assert "promo=" not in page
        await admin.send(here, edition="1", after="Gone", promotion_code="SBENDS")
        assert "Gone" in (await stranger.get(address)).text


async def looked(site: Latchkey) -> None:
    """What a worker asks Stripe once an hour."""
    keyring = Keyring(
        site.pool,
        Vault(SECRETS),
        key=KEY,
        secrets=[],
        api_base=site.settings.stripe_api_base,
        address=site.url,
    )
    deps = ActivityDeps(site.pool, keyring, SECRETS)
    activities = ConnectionActivities(deps, public_url=site.url, register=True)
    await ActivityEnvironment().run(activities.check_endpoint)
    await keyring.close()


async def test_a_countdown_ends_with_a_code_that_is_switched_off(
    shared: Latchkey, admin: Visitor
) -> None:
    base, address = await started(shared, admin, "Sb off")
    coupon = await shared.stripe.post("coupons", percent_off=50, duration="once")
    promotion: dict[str, Any] = {"promotion": {"type": "coupon", "coupon": coupon["id"]}}
    later, sooner = 3_800_000_000, 3_700_000_000
    codes = {
        code: await shared.stripe.post("promotion_codes", **promotion, code=code, expires_at=later)
        for code in ("SBOFF", "SBSTAYS", "SBAGAIN", "SBNOEND")
    }
    for code in codes:
        await add(admin, base, "countdown", text=f"With {code}", after="Gone", promotion_code=code)
    await add(admin, base, "countdown", text="Without one", ends_at="2090-01-31T12:00")
    await looked(shared)
    ends = f'data-ends="{datetime.fromtimestamp(later, UTC).isoformat()}"'
    assert (await admin.get(address)).text.count(ends) == 4
    for code in ("SBOFF", "SBAGAIN", "SBNOEND"):
        await shared.stripe.post(f"promotion_codes/{codes[code]['id']}", active=False)
    await shared.stripe.post("promotion_codes", **promotion, code="SBAGAIN", expires_at=sooner)
    await shared.stripe.post("promotion_codes", **promotion, code="SBNOEND")
    await looked(shared)
    page = (await admin.get(address)).text
    assert "With SBOFF" not in page
    assert page.count("Gone") == 1
    assert page.count(ends) == 2, "one whose code stays, one whose code has no end now"
    assert f'data-ends="{datetime.fromtimestamp(sooner, UTC).isoformat()}"' in page
    assert "Without one" in page
    stored = "select blocks from sales_pages where headline = 'About Sb off'"
    before = await shared.pool.fetchval(stored)
    await looked(shared)
    assert await shared.pool.fetchval(stored) == before
    block = blocks_of((await admin.get(base)).text)[0]
    here = f"{base}/blocks/{block}"
    await admin.send(here, edition="2", text="x", after="Over now", promotion_code="SBOFF")
    assert "Over now" in (await admin.get(address)).text
