"""The control panel: time, purchases, changes to objects, webhooks, requests and faults."""

import time
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Any
from urllib.parse import quote

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sandbox import checkout, disputes, refunds, settling
from sandbox.delivery import SECONDS, SWITCHED
from sandbox.pages.frame import NEWEST, Frame, counted, every, form, money, when
from sandbox.shop import StripeApiError
from sandbox.subscriptions import LIVE, cancel, items, pauses, update
from sandbox.world import Json

JUMPS = [(3600, "+1 hour"), (86400, "+1 day"), (7 * 86400, "+1 week"), (30 * 86400, "+30 days")]
SHOWN = 40


class ControlPages(Frame):
    """The control panel's pages, each a request in and a page out."""

    def _panel(self, request: Request, name: str, **values: Any) -> Response:
        query = request.query_params
        return self.page(
            name, note=query.get("note"), error=query.get("error"), here=request.url.path, **values
        )

    async def overview(self, request: Request) -> Response:
        """Time, prices to buy, and subscriptions and payments with their actions."""
        shop, table = self.shop, self.shop.world.table
        rows = table("subscription").newest_first({}, **NEWEST)
        wanted = (row for row in rows if row["status"] in LIVE)
        charges = islice(table("charge").newest_first({}, **NEWEST), 20)
        agenda = shop.world.agenda()
        return self._panel(
            request,
            "overview.html",
            now=when(time.time()),
            month_seconds=shop.world.month_seconds,
            jumps=JUMPS,
            next=f"{agenda[0][1].replace('_', ' ')} at {when(agenda[0][0])}" if agenda else None,
            prices=[self._price(row) for row in table("price").values() if row["active"]][:SHOWN],
            links=[
                {"url": row["url"], "text": row["id"]}
                for row in islice(table("payment_link").newest_first({}, **NEWEST), 10)
                if row["active"]
            ],
            subscriptions=[self._subscription(row) for row in islice(wanted, SHOWN)],
            charges=[self._charge(row) for row in charges],
            settings=shop.settings.shown(),
        )

    def _price(self, row: Json) -> Json:
        text = f"{money(row['unit_amount'], row['currency'])} {every(row)}".strip()
        return {"id": row["id"], "product": self.product_name(row["product"]), "text": text}

    def _subscription(self, row: Json) -> Json:
        customer = self.shop.world.table("customer").get(row["customer"]) or {}
        end = row["cancel_at"] or items.first_end(row)
        name = customer.get("name") or ""
        return {
            "id": row["id"],
            "title": " + ".join(
                self.product_name(item["price"]["product"]) for item in items.rows(row)
            ),
            "status": row["status"],
            "words": f"{'ends' if row['cancel_at'] else 'renews'} {when(end)}",
            "may_undo": bool(row["cancel_at"]),
            "may_pause": row["status"] in pauses.MAY_PAUSE
            and row["billing_mode"]["type"] == "flexible",
            "paused": row["status"] == "paused",
            "customer": f"{name} {customer.get('email') or row['customer']}".strip(),
            "customer_id": row["customer"],
        }

    def _charge(self, row: Json) -> Json:
        customer = self.shop.world.table("customer").get(row["customer"]) or {}
        left = row["amount"] - row["amount_refunded"]
        words = row["status"]
        if row["refunded"]:
            words = "refunded"
        elif row["amount_refunded"]:
            words = f"{money(row['amount_refunded'], row['currency'])} refunded"
        dispute = next(
            self.shop.world.table("dispute").newest_first({"charge": row["id"]}, **NEWEST), None
        )
        open_dispute = dispute if dispute and dispute["status"] not in disputes.CLOSED else None
        return {
            "id": row["id"],
            "who": row["billing_details"]["email"] or customer.get("email") or "",
            "amount": row["amount"],
            "currency": row["currency"],
            "words": f"{words}, dispute {dispute['status']}" if dispute else words,
            "refundable": row["status"] == "succeeded" and left > 0 and not dispute,
            "dispute": open_dispute["id"] if open_dispute else None,
            "inquiry": bool(open_dispute) and str(dispute and dispute["status"])[:4] == "warn",
            "disputable": row["status"] == "succeeded" and dispute is None,
            "pending": row["status"] == "pending",
        }

    async def webhooks(self, request: Request) -> Response:
        """Endpoints, deliveries and events."""
        table = self.shop.world.table
        return self._panel(
            request,
            "webhooks.html",
            endpoints=table("webhook_endpoint").values()
            + table("v2.core.event_destination").values(),
            deliveries=list(islice(table("delivery").newest_first({}, **NEWEST), SHOWN)),
            events=list(islice(table("event").newest_first({}, **NEWEST), SHOWN)),
        )

    async def event(self, request: Request) -> Response:
        """One event in full."""
        return self._whole(request, self.shop.world.table("event").get(request.path_params["id"]))

    async def requests(self, request: Request) -> Response:
        """The latest API requests."""
        return self._panel(request, "requests.html", requests=list(self.box.api.log)[-200:][::-1])

    async def faults(self, request: Request) -> Response:
        """The faults and their rates."""
        faults = vars(self.box.deliveries.faults)
        return self._panel(
            request,
            "faults.html",
            switched={name: faults[name] for name in SWITCHED},
            seconds={name: faults[name] for name in SECONDS},
            about={**SWITCHED, **SECONDS},
        )

    async def objects(self, request: Request) -> Response:
        """All objects by kind."""
        tables, kind = self.shop.world.tables, request.query_params.get("kind", "customer")
        found = islice(tables[kind].newest_first({}, **NEWEST), 100) if kind in tables else ()
        return self._panel(
            request,
            "objects.html",
            kinds={name: len(table) for name, table in tables.items() if table},
            kind=kind,
            rows=[
                {"id": row["id"], "created": row.get("created"), "text": _summary(row)}
                for row in found
            ],
        )

    async def one(self, request: Request) -> Response:
        """One object in full."""
        tables = self.shop.world.tables.values()
        name = request.path_params["id"]
        return self._whole(request, next((t.get(name) for t in tables if name in t), None))

    def _whole(self, request: Request, found: Json | None) -> Response:
        if found is None:
            return self.message("Not found", "This object doesn't exist.", status=404, back="/")
        text = orjson.dumps(found, option=orjson.OPT_INDENT_2).decode()
        return self._panel(request, "object.html", found=found, text=text)

    async def act(self, request: Request) -> Response:
        """Do what a button of the control panel says."""
        actions: dict[str, Callable[[Json], str | Awaitable[str]]] = {
            "advance": self._advance,
            "speed": self._speed,
            "settings": self._settings,
            "checkout": self._new_checkout,
            "subscription": self._change_subscription,
            "charge": self._change_charge,
            "faults": self._set_faults,
            "resend": self._resend,
            "repeat": self._repeat,
        }
        action = actions.get(request.path_params["what"])
        if action is None:
            return self.message("Not found", "This action doesn't exist.", status=404)
        entered = await form(request)
        try:
            answer = action(entered)
        except (StripeApiError, ValueError, KeyError) as error:
            answer = f"{entered.get('back', '/')}?error={quote(str(error))}"
        self.box.flush()
        return RedirectResponse(str(answer), 303)

    def _advance(self, entered: Json) -> str:
        if entered.get("to") == "next":
            agenda = self.shop.world.agenda()
            seconds = int(agenda[0][0] - time.time()) + 1 if agenda else 0
            done = self.box.clock.advance(max(1, seconds))
        else:
            done = self.box.clock.advance(int(entered["seconds"]))
        return f"/?note=Time advanced. {counted(done, 'task')} came due."

    def _speed(self, entered: Json) -> str:
        seconds = float(entered.get("month_seconds") or 0)
        self.shop.world.month_seconds = seconds or None
        return "/?note=Month length saved. It applies to new periods."

    def _settings(self, entered: Json) -> str:
        self.shop.set_up({"dunning_ends": entered["dunning_ends"]})
        self.shop.world.keep("settings", **self.shop.settings.shown())
        return "/?note=Settings saved."

    def _new_checkout(self, entered: Json) -> str:
        price = self.shop.find("price", entered["price"])
        session = checkout.create(
            self.shop,
            {
                "mode": "subscription" if price["recurring"] else "payment",
                "line_items": [{"price": price["id"], "quantity": 1}],
                "success_url": f"{self.shop.world.base_url}/?note=Paid.",
                "cancel_url": f"{self.shop.world.base_url}/",
                "allow_promotion_codes": True,
            },
        )
        return str(session["url"])

    def _change_subscription(self, entered: Json) -> str:
        found = self.shop.find("subscription", entered["id"])
        match entered["do"]:
            case "undo":
                update(self.shop, found, {"cancel_at": ""})
            case "period_end":
                update(self.shop, found, {"cancel_at_period_end": True})
            case "now":
                cancel(self.shop, found)
            case "pause":
                pauses.pause(self.shop, found, {})
            case "resume":
                pauses.resume(self.shop, found, {})
            case "portal":
                return self._portal(found["customer"])
            case "to_end":
                ends = items.first_end(found)
                seconds = (found["cancel_at"] or ends) - self.shop.world.now() - 10
                self.box.clock.advance(seconds)
        return f"/?note=Done.#{found['id']}"

    def _portal(self, customer: str) -> str:
        from sandbox.calls.portal import open_portal

        back = {"return_url": f"{self.shop.world.base_url}/"}
        return str(open_portal(self.shop, {"customer": customer, **back})["url"])

    def _change_charge(self, entered: Json) -> str:
        charge = self.shop.find("charge", entered["id"])
        match entered["do"]:
            case "refund":
                refunds.refund(self.shop, charge, amount=None)
                return "/?note=Refunded."
            case "refund_part":
                left = charge["amount"] - charge["amount_refunded"]
                refunds.refund(self.shop, charge, amount=max(1, left // 2))
                return "/?note=Refunded half of what was left."
            case "dispute":
                disputes.open_dispute(self.shop, charge)
            case "inquiry":
                disputes.open_dispute(self.shop, charge, status="warning_needs_response")
            case "won" | "lost" | "warning_closed" as outcome:
                found = self.shop.find("dispute", entered["dispute"])
                disputes.close(self.shop, found, outcome)
            case "arrive" | "fail" as fate:
                intent = self.shop.find("payment_intent", charge["payment_intent"])
                settling.settle(self.shop, intent, "succeeded" if fate == "arrive" else "failed")
        return "/?note=Done."

    def _set_faults(self, entered: Json) -> str:
        known = self.box.deliveries.faults
        if entered.get("do") == "none":
            self.box.deliveries.set_faults(dict.fromkeys(vars(known), 0))
            return "/faults?note=All faults are off."
        rate = float(entered.get("rate") or 0.2)
        wanted = {name: 0.0 for name in SWITCHED}
        wanted |= {name: rate for name in SWITCHED if entered.get(name)}
        seconds = {name: entered.get(name) or 0 for name in SECONDS}
        self.box.deliveries.set_faults(wanted | seconds)
        return "/faults?note=Faults saved."

    def _resend(self, entered: Json) -> str:
        self.box.deliveries.resend(self.shop.find("delivery", entered["id"]))
        return "/webhooks?note=Sent again."

    def _repeat(self, entered: Json) -> str:
        self.box.deliveries.repeat(self.shop.find("event", entered["id"]))
        return "/webhooks?note=Sent again."


def _summary(row: Json) -> str:
    """A one-line summary of an object."""
    words = [row.get(name) for name in ("name", "email", "status", "type", "description")]
    return " · ".join(str(word) for word in words if word)
