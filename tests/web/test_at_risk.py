"""Money at risk: the page and its CSV."""

import csv
import io
import re

import pytest

from tests.harness import Latchkey
from tests.web.pages import visit
from tests.web.test_admin_users import buyer, shown

pytestmark = pytest.mark.anyio


async def test_the_page_says_what_is_at_risk_and_for_how_long(shared: Latchkey) -> None:
    person, product, subscription = await buyer(shared, "owes@risk.example", "Risky course")
    _, ended_product, ending = await buyer(shared, "leaves@risk.example", "Left course")
    await shared.pool.execute(
        "update subscriptions set status = 'past_due', past_due_since = now() where id = $1",
        subscription,
    )
    await shared.pool.execute(
        """
        update subscriptions set scheduled_end = now() + interval '73 hours', canceled_at = now()
         where id = $1
        """,
        ending,
    )
    async with visit(shared) as admin:
        await admin.sign_in()
        assert 'href="/admin/at-risk"' in (await admin.get("/admin")).text
        text = await shown(admin, f"/admin/at-risk?product={product}")
        assert "1 entry" in text
        assert re.search(r"\$15\.00 Payment failed, still has access: 1 \(test\)", text)
        assert re.search(r"owes@risk\.example Nora Buyer Risky course .* Payment failed on", text)
        page = (await admin.get(f"/admin/at-risk?product={product}")).text
        for link in (f"/admin/users/{person}", f"/test/subscriptions/{subscription}"):
            assert link in page
        text = await shown(admin, f"/admin/at-risk?product={ended_product}&state=ending")
        assert re.search(r"Cancelled on .*, ends on .* in 3 days", text)
        assert "No results" in await shown(admin, f"/admin/at-risk?product={product}&state=ending")
        answer = await admin.get(f"/admin/at-risk.csv?product={product}")
        await admin.get("/admin/at-risk?from=yesterday", 422)
    [row] = csv.DictReader(io.StringIO(answer.text))
    assert (row["kind"], row["subscription"], row["amount"], row["currency"], row["email"]) == (
        "grace",
        subscription,
        "15.00",
        "usd",
        "owes@risk.example",
    )
