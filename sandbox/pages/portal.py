"""The customer portal, and the page of an invoice."""

import time
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sandbox import cards, credit_notes, invoices, pricing
from sandbox.pages.frame import NEWEST, Frame, day, every, form, money
from sandbox.shop import StripeApiError, snapshot
from sandbox.subscriptions import LIVE, dunning, items, portal
from sandbox.world import Json

REASONS = [
    ("too_expensive", "It's too expensive"),
    ("missing_features", "I need more features"),
    ("switched_service", "I found an alternative"),
    ("unused", "I no longer need it"),
    ("customer_service", "Customer service was less than expected"),
    ("too_complex", "Ease of use was less than expected"),
    ("low_quality", "Quality was less than expected"),
    ("other", "Other reason"),
]
UNUSED_SECONDS, IDLE_SECONDS = 300, 3600


class PortalPages(Frame):
    """The customer portal and the invoice page, each a request in and a page out."""

    async def portal(self, request: Request) -> Response:
        session = self.shop.world.table("billing_portal.session").get(request.path_params["id"])
        if session is None:
            return self.message("Not found", "This portal session doesn't exist.", status=404)
        if not self._alive(session):
            return self.message(
                "This session has expired",
                "Go back and open the portal again.",
                status=410,
                back=session["return_url"],
            )
        error = note = None
        if request.method == "POST":
            try:
                note = self._act(session, await form(request))
            except StripeApiError as fault:
                error = str(fault)
            self.box.flush()
            flow = self.shop.world.private[session["id"]].get("flow") or {}
            after = (flow.get("after_completion") or {}).get("redirect") or {}
            asked = self.shop.world.private[session["id"]].get("asked")
            if note and after.get("return_url") and not asked:
                return RedirectResponse(after["return_url"], 303)
        return self._show(session, error=error, note=note)

    def _alive(self, session: Json) -> bool:
        """Whether a session still works: for five minutes if unused, then for an hour after its
        last use (real time)."""
        kept, now = self.shop.world.keep(session["id"]), time.time()
        since = kept.get("used_at") or session["created"]
        alive = bool(now - since <= (IDLE_SECONDS if kept.get("used_at") else UNUSED_SECONDS))
        if alive:
            kept["used_at"] = int(now)
        return alive

    def _features(self, session: Json) -> Json:
        found = self.shop.find("billing_portal.configuration", session["configuration"])
        features: Json = found["features"]
        return features

    def _show(self, session: Json, **values: Any) -> Response:
        table = self.shop.world.table
        customer = table("customer").get(session["customer"])
        if customer is None:
            return self.message("Not found", "This customer has been deleted.", status=404)
        features = self._features(session)
        rows = table("subscription").newest_first({"customer": customer["id"]}, **NEWEST)
        bills = table("invoice").newest_first({"customer": customer["id"]}, **NEWEST)
        method = invoices.default_method(self.shop, customer)
        kept = self.shop.world.private[session["id"]]
        configuration = self.shop.find("billing_portal.configuration", session["configuration"])
        return self.page(
            "portal.html",
            customer=customer,
            subscriptions=[self._subscription(row, features) for row in rows],
            card=(method or {}).get("card"),
            method=method,
            invoices=[bill for bill in bills if bill["status"] != "draft"][:12],
            features=features,
            profile=configuration["business_profile"],
            reasons=[row for row in REASONS if row[0] in _reason(features)["options"]],
            asked=kept.get("asked"),
            flow=(kept.get("flow") or {}).get("type"),
            session=session,
            back=session["return_url"] or configuration["default_return_url"],
            **values,
        )

    def _subscription(self, row: Json, features: Json) -> Json:
        live = row["status"] in LIVE and row["status"] != "incomplete"
        single = len(items.rows(row)) == 1
        change = features["subscription_update"]["enabled"] and live and single
        ends = row["cancel_at"]
        return {
            "id": row["id"],
            "row": row,
            "title": " + ".join(
                self.product_name(item["price"]["product"]) for item in items.rows(row)
            ),
            "price": " + ".join(self._cost(row, item) for item in items.rows(row)),
            "words": self._words(row),
            "live": live,
            "may_undo": live and bool(ends),
            "may_cancel": live and not ends and features["subscription_cancel"]["enabled"],
            "may_pause": live
            and row["status"] == "active"
            and row["billing_mode"]["type"] == "flexible"
            and (features.get("subscription_pause") or {}).get("enabled"),
            "may_resume": row["status"] == "paused",
            "plans": self._plans(row, features) if change and not row["schedule"] else [],
        }

    def _cost(self, row: Json, item: Json) -> str:
        amount = items.amount_of(self.shop, row, item)
        return f"{money(amount, row['currency'])} {every(item['price'])}"

    def _words(self, row: Json) -> str:
        if row["status"] not in LIVE:
            return f"Ended on {day(row['ended_at'])}"
        if row["cancel_at"]:
            return f"Cancels on {day(row['cancel_at'])}"
        match row["status"]:
            case "trialing":
                return f"Your trial ends on {day(row['trial_end'])}"
            case "paused":
                return "Paused"
            case "past_due" | "unpaid" | "incomplete":
                return "Your payment failed. Change your card or pay the open invoice"
        if row["schedule"]:
            return f"Renews on {day(items.first_end(row))}, then changes to another plan"
        return f"Renews on {day(items.first_end(row))}"

    def _plans(self, row: Json, features: Json) -> list[Json]:
        """The prices a configuration offers: all recurring ones if it doesn't name any."""
        table = self.shop.world.table("price")
        wanted = [
            price
            for product in features["subscription_update"].get("products") or []
            for price in product["prices"]
        ]
        current = items.rows(row)[0]["price"]
        found = [table.get(price) for price in wanted] if wanted else table.values()
        return [
            {
                "id": price["id"],
                "text": f"{self.product_name(price['product'])}: "
                f"{money(pricing.amount(self.shop, price, 1), price['currency'])} {every(price)}",
            }
            for price in found
            if price
            and price["active"]
            and price["recurring"]
            and price["currency"] == row["currency"]
            and price["id"] != current["id"]
        ]

    def _act(self, session: Json, entered: Json) -> str:
        do, customer_id = entered.get("do"), session["customer"]
        if do == "card":
            return self._change_card(customer_id, entered.get("card", ""))
        if do == "details":
            return self._change_details(customer_id, entered)
        found = self.shop.find("subscription", entered.get("subscription"))
        if found["customer"] != customer_id:
            raise StripeApiError(404, "No such subscription.")
        features = self._features(session)
        self.shop.world.keep(session["id"], asked=None)
        match do:
            case "reason":
                portal.give_reason(
                    self.shop,
                    found,
                    feedback=entered.get("feedback"),
                    comment=entered.get("comment"),
                )
                return "Thank you for your feedback."
            case "undo":
                portal.undo(self.shop, found)
                return "Your subscription will continue."
            case "switch":
                return self._switch(found, entered.get("price", ""), features)
            case "pause":
                portal.pause(self.shop, found)
                return "Your subscription has been paused."
            case "resume":
                portal.resume(self.shop, found)
                return "Your subscription will continue."
        return self._cancel(session, found, features)

    def _cancel(self, session: Json, found: Json, features: Json) -> str:
        if not features["subscription_cancel"]["enabled"]:
            raise StripeApiError(400, "Subscriptions can't be cancelled here.")
        immediately = features["subscription_cancel"]["mode"] == "immediately"
        portal.cancel(self.shop, found, immediately=immediately)
        if _reason(features)["enabled"]:
            self.shop.world.keep(session["id"], asked=found["id"])
        if immediately:
            return "Your subscription has been cancelled."
        return "Your subscription has been cancelled. It stays active until the period ends."

    def _switch(self, found: Json, price: str, features: Json) -> str:
        update = features["subscription_update"]
        wanted = self.shop.find("price", price, param="price")
        now = items.amount_of(self.shop, found, items.rows(found)[0])
        conditions = (update.get("schedule_at_period_end") or {}).get("conditions") or []
        later = any(row["type"] == "decreasing_item_amount" for row in conditions) and (
            pricing.amount(self.shop, wanted, 1, found["currency"]) < now
        )
        portal.switch(
            self.shop,
            found,
            price=price,
            at_period_end=later,
            proration_behavior=update.get("proration_behavior") or "create_prorations",
        )
        if found["pending_update"]:
            return "Your plan will change once the payment succeeds."
        if later:
            return "Your plan will change when the current period ends."
        return "Your plan has been changed."

    def _change_card(self, customer_id: str, number: str) -> str:
        customer = self.shop.find("customer", customer_id)
        before = snapshot(customer)
        try:
            method = cards.payment_method(self.shop, number)
        except StripeApiError:
            raise StripeApiError(400, "Your card number is invalid.") from None
        cards.attach(self.shop, method, customer)
        customer["invoice_settings"]["default_payment_method"] = method["id"]
        self.shop.save(customer, "customer.updated", before)
        for row in self.shop.world.table("subscription").newest_first(
            {"customer": customer_id}, **NEWEST
        ):
            if row["default_payment_method"] and row["status"] in LIVE:
                held = snapshot(row)
                row["default_payment_method"] = method["id"]
                self.shop.save(row, "customer.subscription.updated", held)
        return "Your card has been changed."

    def _change_details(self, customer_id: str, entered: Json) -> str:
        customer = self.shop.find("customer", customer_id)
        before = snapshot(customer)
        customer.update(
            email=entered.get("email") or customer["email"], name=entered.get("name") or None
        )
        self.shop.save(customer, "customer.updated", before)
        return "Your details have been changed."

    async def invoice(self, request: Request) -> Response:
        """The page of an invoice; an open one can be paid there."""
        found = self.shop.world.table("invoice").get(request.path_params["id"])
        if found is None:
            return self.message("Not found", "This invoice doesn't exist.", status=404)
        error = note = None
        if request.method == "POST":
            try:
                note = self._pay(found, await form(request))
            except StripeApiError as fault:
                error = str(fault)
            self.box.flush()
        notes = list(credit_notes.notes_of(self.shop, found))
        return self.page("invoice.html", invoice=found, credit_notes=notes, error=error, note=note)

    def _pay(self, bill: Json, entered: Json) -> str:
        with self.shop.row():
            method = cards.payment_method(self.shop, entered.get("card", ""))
            customer = self.shop.world.table("customer").get(bill["customer"])
            if customer is not None:
                cards.attach(self.shop, method, customer)
            invoices.pay(self.shop, bill, {"payment_method": method["id"]})
            if bill["status"] == "paid":
                dunning.settled(self.shop, bill)
                return "Thank you. The invoice has been paid."
        return "Your bank is processing the payment."


def _reason(features: Json) -> Json:
    """How a configuration asks for the reason of a cancellation."""
    found: Json = features["subscription_cancel"]["cancellation_reason"]
    return found
