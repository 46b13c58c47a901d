"""The drift pages: compare, view, repair selected differences, export as CSV."""

import csv
import io

import httpx
import pytest

from tests.harness import Latchkey
from tests.truth.conftest import token
from tests.truth.test_reconciliation import deaf, done, populated

pytestmark = pytest.mark.anyio


async def test_an_admin_compares_and_repairs_selected_differences(
    site: Latchkey, admin: httpx.AsyncClient
) -> None:
    product, _, sessions = await populated(site)
    await deaf(site)
    for name in ("leaves", "moves"):
        await site.stripe.delete(f"subscriptions/{sessions[name]['subscription']}")
    assert "No comparisons yet" in (await admin.get("/admin/drift")).text
    form = {"csrf_token": await token(admin, "/admin/drift"), "product": product}
    begun = await admin.post("/admin/drift", data=form)
    assert begun.status_code == 303
    address = begun.headers["location"]
    found = await done(site, address.rpartition("/")[2])
    assert found["cause"] == "admin"
    text = (await admin.get(address)).text
    assert "leaves@drift.example" in text
    assert "Repair all safe ones (2)" in text
    assert "2 safe to repair" in (await admin.get("/admin/drift")).text
    rows = list(csv.DictReader(io.StringIO((await admin.get(f"{address}.csv")).text)))
    assert sorted(row["email"] for row in rows) == ["leaves@drift.example", "moves@drift.example"]
    assert {row["kind"] for row in rows} == {"access_left"}

    fields = {"csrf_token": await token(admin, address), "what": "ticked"}
    nothing = await admin.post(f"{address}/repair", data=fields)
    assert nothing.status_code == 422
    assert "Select what to repair first" in nothing.text
    one = next(d for d in found["differences"] if d["email"] == "leaves@drift.example")
    ticked = await admin.post(f"{address}/repair", data={**fields, "difference": str(one["id"])})
    assert ticked.status_code == 303
    await done(site, found["id"])
    await site.has(product, "leaves@drift.example", access=False)
    assert (await site.access(product, "moves@drift.example"))["access"] is True
    await admin.post(f"{address}/repair", data={**fields, "what": "safe"})
    await done(site, found["id"])
    await site.has(product, "moves@drift.example", access=False)
    assert (await admin.get("/admin/drift/rec_none")).status_code == 404


async def test_the_api_refuses_invalid_requests(shared: Latchkey) -> None:
    await shared.call("POST", "/reconciliations", 422, json={})
    await shared.call("POST", "/reconciliations", 404, json={"dry_run": True, "product": "no-such"})
    await shared.call("GET", "/reconciliations/rec_none", 404)
    await shared.call("POST", "/reconciliations/rec_none/repair", 404, json={})
