"""The customer portal, and the page of an invoice."""

import time
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sandbox import cards, credit_notes, flows, invoices, pricing, taxes
from sandbox.fields import apply
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
ADDRESS_PARTS = [
    ("line1", "Address"),
    ("line2", "Address, second line"),
    ("city", "City"),
    ("state", "State"),
    ("postal_code", "Postal code"),
    ("country", "Country (two letters)"),
]
TAX_ID_TYPES = ("eu_vat", "gb_vat", "us_ein")
UNUSED_SECONDS, IDLE_SECONDS = 300, 3600
_FLOWS = {
    "customer_update": ("details",),
    "payment_method_update": ("card",),
    "subscription_cancel": ("cancel", "reason"),
    "subscription_pause": ("pause",),
    "subscription_update": ("switch",),
    "subscription_update_confirm": ("confirm",),
}
"""What a flow is there for."""
_FEATURES = {do: flows.FEATURES[flow] for flow, able in _FLOWS.items() for do in able}
_DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}


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
        flow, error, note = self._flow(session), None, None
        if request.method == "POST":
            try:
                note = self._act(session, flow, await form(request))
            except StripeApiError as fault:
                error = str(fault)
            self.box.flush()
            if flow and note and not self.shop.world.keep(session["id"]).get("asked"):
                self.shop.world.keep(session["id"], done=note)
        return self._completed(session) or self._show(session, error=error, note=note)

    def _flow(self, session: Json) -> Json | None:
        """The flow that a session leads to, None once it is completed."""
        if self.shop.world.keep(session["id"]).get("done"):
            return None
        flow: Json | None = session["flow"]
        return flow

    def _completed(self, session: Json) -> Response | None:
        """What follows a completed flow, unless that is the portal's homepage."""
        done = self.shop.world.keep(session["id"]).get("done")
        if not done:
            return None
        after = session["flow"]["after_completion"]
        match after["type"]:
            case "redirect":
                return RedirectResponse(after["redirect"]["return_url"], 303)
            case "hosted_confirmation":
                said = after["hosted_confirmation"]["custom_message"] or ""
                return self.message(done, said, back=self._back(session))
        return None

    def _back(self, session: Json) -> str | None:
        back: str | None = session["return_url"]
        return back or self._configuration(session)["default_return_url"]

    def _alive(self, session: Json) -> bool:
        """Whether a session still works: for five minutes if unused, then for an hour after its
        last use (real time)."""
        kept, now = self.shop.world.keep(session["id"]), time.time()
        since = kept.get("used_at") or session["created"]
        alive = bool(now - since <= (IDLE_SECONDS if kept.get("used_at") else UNUSED_SECONDS))
        if alive:
            kept["used_at"] = int(now)
        return alive

    def _configuration(self, session: Json) -> Json:
        return self.shop.find("billing_portal.configuration", session["configuration"])

    def _show(self, session: Json, **values: Any) -> Response:
        table = self.shop.world.table
        customer = table("customer").get(session["customer"])
        if customer is None:
            return self.message("Not found", "This customer has been deleted.", status=404)
        configuration = self._configuration(session)
        features, flow = configuration["features"], self._flow(session)
        rows = table("subscription").newest_first({"customer": customer["id"]}, **NEWEST)
        subject = _subject(flow)
        bills = table("invoice").newest_first({"customer": customer["id"]}, **NEWEST)
        method = invoices.default_method(self.shop, customer)
        return self.page(
            "flow.html" if flow else "portal.html",
            customer=customer,
            subscriptions=[
                self._subscription(row, configuration)
                for row in rows
                if subject in (None, row["id"])
            ],
            card=(method or {}).get("card"),
            method=method,
            invoices=[bill for bill in bills if bill["status"] != "draft"][:12],
            features=features,
            address_parts=ADDRESS_PARTS,
            tax_id_types=TAX_ID_TYPES,
            profile=configuration["business_profile"],
            reasons=[row for row in REASONS if row[0] in _reason(features)["options"]],
            asked=self.shop.world.private[session["id"]].get("asked"),
            flow=flow,
            wanted=self._wanted(flow),
            session=session,
            back=self._back(session),
            **values,
        )

    def _wanted(self, flow: Json | None) -> str | None:
        """What a flow asks to confirm: a quantity of a price."""
        if not flow or flow["type"] != "subscription_update_confirm":
            return None
        found, price, quantity = self._confirmed(flow)
        cost = pricing.amount(self.shop, price, quantity, found["currency"])
        times = f"{quantity} × " if quantity != 1 else ""
        name = self.product_name(price["product"])
        return f"{times}{name}: {money(cost, found['currency'])} {every(price)}"

    def _confirmed(self, flow: Json) -> tuple[Json, Json, int]:
        """The subscription of a flow, and the price and the quantity that it asks to confirm."""
        asked = flow["subscription_update_confirm"]
        found = self.shop.find("subscription", asked["subscription"])
        row, entry = items.rows(found)[0], asked["items"][0]
        price = self.shop.find("price", entry["price"] or row["price"]["id"])
        return found, price, entry.get("quantity") or row["quantity"] or 1

    def _subscription(self, row: Json, configuration: Json) -> Json:
        features = configuration["features"]
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
            "plans": self._plans(row, configuration) if change and not row["schedule"] else [],
            "quantity": items.rows(row)[0]["quantity"]
            if "quantity" in features["subscription_update"]["default_allowed_updates"]
            else None,
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

    def _plans(self, row: Json, configuration: Json) -> list[Json]:
        """The prices a configuration offers: all recurring ones if it doesn't name any. The price
        that the subscription has is among them where its quantity can change."""
        allowed = configuration["features"]["subscription_update"]["default_allowed_updates"]
        current = items.rows(row)[0]["price"]
        found = self.shop.world.table("price").values() if "price" in allowed else [current]
        return [
            {
                "id": price["id"],
                "current": price["id"] == current["id"],
                "text": f"{self.product_name(price['product'])}: "
                f"{money(pricing.amount(self.shop, price, 1), price['currency'])} {every(price)}",
            }
            for price in found
            if price["active"]
            and price["recurring"]
            and price["currency"] == row["currency"]
            and (price["id"] != current["id"] or "quantity" in allowed)
            and portal.offers(self.shop, configuration, price["id"])
        ]

    def _act(self, session: Json, flow: Json | None, entered: Json) -> str:
        do = entered.get("do", "")
        configuration = self._configuration(session)
        if flow and do not in _FLOWS[flow["type"]]:
            raise StripeApiError(400, "This page is for something else.")
        feature = _FEATURES.get(do)
        if feature and not configuration["features"][feature]["enabled"]:
            raise StripeApiError(400, _OFF.get(feature, "This can't be changed here."))
        if do == "card":
            return self._change_card(session["customer"], entered.get("card", ""))
        if do == "details":
            allowed = configuration["features"]["customer_update"]["allowed_updates"]
            return self._change_details(session["customer"], entered, allowed)
        found = self.shop.find("subscription", entered.get("subscription"))
        if found["customer"] != session["customer"] or _subject(flow) not in (None, found["id"]):
            raise StripeApiError(404, "No such subscription.")
        self.shop.world.keep(session["id"], asked=None)
        if do in ("switch", "confirm"):
            return self._update(found, flow, entered, configuration)
        return self._end(session, found, entered, configuration["features"])

    def _end(self, session: Json, found: Json, entered: Json, features: Json) -> str:
        """Cancel, say why, pause, or undo either."""
        match entered.get("do"):
            case "cancel":
                return self._cancel(session, found, features)
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
            case "pause":
                portal.pause(self.shop, found)
                return "Your subscription has been paused."
            case "resume":
                portal.resume(self.shop, found)
                return "Your subscription will continue."
        raise StripeApiError(400, "This page is for something else.")

    def _cancel(self, session: Json, found: Json, features: Json) -> str:
        cancel = features["subscription_cancel"]
        immediately = cancel["mode"] == "immediately"
        prorate = cancel["proration_behavior"] == "create_prorations"
        portal.cancel(self.shop, found, immediately=immediately, prorate=prorate)
        if _reason(features)["enabled"]:
            self.shop.world.keep(session["id"], asked=found["id"])
        if immediately:
            return "Your subscription has been cancelled."
        return "Your subscription has been cancelled. It stays active until the period ends."

    def _update(self, found: Json, flow: Json | None, entered: Json, configuration: Json) -> str:
        """Switch to the price and quantity that were chosen, or that a flow asked to confirm."""
        update = configuration["features"]["subscription_update"]
        if flow and entered["do"] == "confirm":
            found, wanted, quantity = self._confirmed(flow)
        else:
            wanted = self.shop.find("price", entered.get("price", ""), param="price")
            quantity = self._quantity(found, wanted, entered, configuration)
            if not any(plan["id"] == wanted["id"] for plan in self._plans(found, configuration)):
                raise StripeApiError(400, "This plan isn't offered here.")
        later = self._waits(found, wanted, quantity, update)
        portal.switch(
            self.shop,
            found,
            price=wanted["id"],
            quantity=quantity,
            at_period_end=later,
            proration_behavior=update["proration_behavior"],
        )
        if found["pending_update"]:
            return "Your plan will change once the payment succeeds."
        if later:
            return "Your plan will change when the current period ends."
        return "Your plan has been changed."

    def _quantity(self, found: Json, wanted: Json, entered: Json, configuration: Json) -> int:
        """The quantity that was entered, within what the configuration allows of the product."""
        old = items.rows(found)[0]["quantity"] or 1
        given = entered.get("quantity") or str(old)
        quantity = int(given) if given.isdecimal() else 0
        allowed = configuration["features"]["subscription_update"]["default_allowed_updates"]
        least, most = 1, None if "quantity" in allowed else old
        for product in portal.products_of(self.shop, configuration):
            if product["product"] == wanted["product"] and most is None:
                bounds = product["adjustable_quantity"]
                least = bounds["minimum"] if bounds["enabled"] else old
                most = bounds["maximum"] if bounds["enabled"] else old
        if quantity != old and (quantity < least or (most is not None and quantity > most)):
            raise StripeApiError(400, "This quantity isn't possible here.")
        return quantity

    def _waits(self, found: Json, wanted: Json, quantity: int, update: Json) -> bool:
        """Whether a configuration has such a switch wait for the end of the period."""
        conditions = {row["type"] for row in update["schedule_at_period_end"]["conditions"]}
        old = items.rows(found)[0]
        cost = pricing.amount(self.shop, wanted, quantity, found["currency"])
        cheaper = cost < items.amount_of(self.shop, found, old)
        shorter = _length(wanted) < _length(old["price"])
        return (cheaper and "decreasing_item_amount" in conditions) or (
            shorter and "shortening_interval" in conditions
        )

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

    def _change_details(self, customer_id: str, entered: Json, allowed: list[str]) -> str:
        """Change what is allowed of a customer's details."""
        customer = self.shop.find("customer", customer_id)
        before = snapshot(customer)
        given = {name: entered[name] for name in _PLAIN if name in entered and name in allowed}
        if not given.get("email", customer["email"]):
            raise StripeApiError(400, "Enter your email address.")
        for name in ("address", "shipping"):
            parts = {part: entered.get(f"{name}[{part}]", "") for part, _ in ADDRESS_PARTS}
            if name in allowed and any(parts.values()):
                given[name] = parts
        if "shipping" in given:
            named = given.get("name") or customer["name"] or customer["email"]
            given["shipping"] = {"address": given["shipping"], "name": named}
        with self.shop.row():
            apply(self.shop, "customer", customer, given)
            self.shop.save(customer, "customer.updated", before)
            if "tax_id" in allowed and entered.get("tax_id"):
                kind = entered.get("tax_id_type")
                if kind not in TAX_ID_TYPES:
                    raise StripeApiError(400, "Choose the type of your tax ID.")
                taxes.identify(self.shop, kind, entered["tax_id"], customer)
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


_PLAIN = ("email", "name", "phone")
_OFF = {"subscription_cancel": "Subscriptions can't be cancelled here."}


def _subject(flow: Json | None) -> str | None:
    """The subscription that a flow is about, None if it isn't about a certain one."""
    found: Json = (flow and flow.get(flow["type"])) or {}
    return found.get("subscription")


def _length(price: Json) -> int:
    """About how many days a price is paid for at a time."""
    recurring = price["recurring"]
    count: int = recurring["interval_count"]
    return _DAYS[recurring["interval"]] * count


def _reason(features: Json) -> Json:
    """How a configuration asks for the reason of a cancellation."""
    found: Json = features["subscription_cancel"]["cancellation_reason"]
    return found
