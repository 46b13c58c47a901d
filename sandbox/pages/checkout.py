"""The checkout page, and the payment links that lead to it."""

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sandbox import buying, checkout, declines, forms, pricing, settling
from sandbox.control.buying import buyer
from sandbox.pages.frame import Frame, counted, day, form
from sandbox.shop import StripeApiError
from sandbox.world import Json

CARDS = [
    ("4242 4242 4242 4242", "succeeds"),
    ("4000 0027 6000 3184", "requires 3-D Secure"),
    ("4000 0000 0000 0002", "is declined"),
    ("4000 0000 0000 9995", "has insufficient funds"),
    ("4000 0000 0000 0341", "succeeds now; later charges fail"),
    ("4000 0000 0000 0259", "succeeds, then is disputed"),
]
ADDRESS_PARTS = [
    ("line1", "Address"),
    ("city", "City"),
    ("postal_code", "Postal code"),
    ("country", "Country (two letters)"),
]
METHODS = [
    ("card", "card", "Card"),
    ("sepa_debit", "sepa_debit", "SEPA Direct Debit (the money arrives later)"),
    ("sepa_debit", "AT861904300235473202", "SEPA Direct Debit (fails later)"),
    ("us_bank_account", "us_bank_account", "US bank account (the money arrives later)"),
    ("us_bank_account", "000111111113", "US bank account (fails later)"),
]
"""What the page plays: a kind of payment method, what pays, and its words."""


class CheckoutPages(Frame):
    """Each a request in and a page out."""

    async def checkout(self, request: Request) -> Response:
        session = self.shop.world.table("checkout.session").get(request.path_params["id"])
        if session is None:
            return self.message("Not found", "This checkout session doesn't exist.", status=404)
        if session["status"] != "open":
            text = (
                "It has already been paid."
                if session["status"] == "complete"
                else "It has expired. Go back and start again."
            )
            back = success_url(session) if session["status"] == "complete" else None
            return self.message(
                "This checkout session has ended", text, back=back or session["cancel_url"]
            )
        if session["client_secret"] and "secret" not in request.path_params:
            return self.message("Not a page", "This session is paid in a component of your page.")
        entered = await form(request) if request.method == "POST" else {}
        if not entered:
            return self._show(session, self._prefilled(session))
        return self._submit(session, entered)

    async def embedded(self, request: Request) -> Response:
        """The component that a page of the shop's shows in a frame: found by its client secret."""
        kept = self.shop.world.private.get(f"secret/{request.path_params['secret']}", {})
        request.path_params["id"] = kept.get("session", "")
        return await self.checkout(request)

    async def recover(self, request: Request) -> Response:
        """A buyer comes back for what they left: a fresh session, as the expired one was."""
        session = self.shop.world.table("checkout.session").get(request.path_params["id"])
        if session is None:
            return self.message("Not found", "This checkout session doesn't exist.", status=404)
        try:
            made = checkout.recover(self.shop, session)
        except StripeApiError as fault:
            return self.message("This checkout session has ended", str(fault), status=410)
        self.box.flush()
        return RedirectResponse(made["url"] or f"/c/embedded/{made['client_secret']}", 303)

    def _submit(self, session: Json, entered: Json) -> Response:
        if entered.get("authenticated") == "no":
            text = (
                "We are unable to authenticate your payment method. Please choose a different"
                " payment method and try again."
            )
            return self._show(session, entered, error=text)
        if entered.get("do") == "promotion":
            return self._promote(session, entered)
        chosen = entered.get("method", "card")
        if buying.needs_method(self.shop, session) and chosen not in dict(_methods(session)):
            text = "This payment method isn't offered here. Please choose a different one."
            return self._show(session, entered, error=text)
        if chosen != "card":
            entered = {**entered, "card": chosen}
        try:
            nested = forms.decode(urlencode(entered))
            outcome = buying.pay(self.shop, session, buyer({**nested, "promotion_code": None}))
        except StripeApiError as fault:
            text = str(fault)
            if fault.body.get("code") in ("incorrect_number", "resource_missing"):
                text = "Your card number is invalid."
            return self._show(session, entered, error=text)
        self.box.flush()
        if outcome == "requires_action":
            return self._show(session, entered, challenge=True)
        if outcome != "complete":
            return self._show(session, entered, error=declines.DECLINES[outcome].message)
        if (url := success_url(session)) and not self._stays(session):
            return RedirectResponse(url, 303)
        return self._thanks(session)

    def _stays(self, session: Json) -> bool:
        """Whether the buyer stays where they are: a component leaves for a card only where it is
        always to."""
        return bool(session["client_secret"]) and session["redirect_on_completion"] != "always"

    def _promote(self, session: Json, entered: Json) -> Response:
        try:
            buying.apply_code(self.shop, session, entered.get("promotion_code", ""))
        except StripeApiError as fault:
            return self._show(session, entered, code_error=str(fault))
        self.box.flush()
        return self._show(session, entered)

    def _thanks(self, session: Json) -> Response:
        link = self.shop.world.table("payment_link").get(session["payment_link"]) or {}
        shown = (link.get("after_completion") or {}).get("hosted_confirmation") or {}
        paid = session["payment_status"] != "unpaid"
        text = shown.get("custom_message") or (
            "You would get a receipt by email." if paid else "Your bank is processing the payment."
        )
        return self.message("Thanks for your purchase", text)

    def _prefilled(self, session: Json) -> Json:
        customer = self.shop.world.table("customer").get(session["customer"]) or {}
        kept = self.shop.world.private[session["id"]]
        return {
            "email": customer.get("email") or session["customer_email"] or "",
            "name": customer.get("name") or "",
            "promotion_code": kept.get("prefilled_code") or "",
        }

    def _show(self, session: Json, entered: Json, **values: Any) -> Response:
        lines = checkout.line_items(self.shop, session)
        return self.page(
            "checkout.html",
            402 if values.get("error") else 200,
            session=session,
            lines=lines,
            entered=entered,
            address_parts=ADDRESS_PARTS,
            offered=self._offered(session),
            locked=bool(session["customer"] or session["customer_email"]),
            needs_method=buying.needs_method(self.shop, session),
            later=self._later(session, lines),
            code=self._code(session),
            verb=self._verb(session),
            cards=CARDS,
            methods=_methods(session),
            **values,
        )

    def _offered(self, session: Json) -> list[Json]:
        """What a buyer may add, with the price and the product's name."""
        rows = []
        for entry in session.get("optional_items") or []:
            price = self.shop.find("price", entry["price"])
            amount = pricing.amount(self.shop, price, 1, session["currency"])
            rows.append({**entry, "name": self.product_name(price["product"]), "amount": amount})
        return rows

    def _later(self, session: Json, lines: list[Json]) -> str | None:
        """How long the trial lasts, None without one."""
        if not checkout.starts_with_trial(self.shop, session):
            return None
        data = self.shop.world.private[session["id"]]["subscription_data"]
        if days := data.get("trial_period_days"):
            return f"{counted(days, 'day')} free"
        return f"free until {day(data['trial_end'])}"

    def _code(self, session: Json) -> str | None:
        for given in session["discounts"]:
            if given["promotion_code"]:
                promotion = self.shop.world.table("promotion_code").get(given["promotion_code"])
                return str(promotion["code"]) if promotion else None
            coupon = self.shop.world.table("coupon").get(given["coupon"]) or {}
            return str(coupon.get("name") or given["coupon"])
        return None

    def _verb(self, session: Json) -> str:
        if session["mode"] == "setup":
            return "Save card"
        if checkout.starts_with_trial(self.shop, session):
            return "Start trial"
        if session["mode"] == "subscription":
            return "Subscribe"
        return {"donate": "Donate", "book": "Book"}.get(session["submit_type"] or "", "Pay")

    async def authenticate(self, request: Request) -> Response:
        """The bank's authentication page for a payment made through the API."""
        name = request.path_params["id"]
        kind = "setup_intent" if name.startswith("seti_") else "payment_intent"
        intent = self.shop.world.table(kind).get(name)
        if intent is None:
            return self.message("Not found", "This payment doesn't exist.", status=404)
        back = self.shop.world.private.get(intent["id"], {}).get("return_url")
        if intent["status"] != "requires_action":
            return self.message(
                "Nothing to confirm", f"The payment's status is {intent['status']}.", back=back
            )
        if request.method == "GET":
            return self.page("authenticate.html", intent=intent)
        entered = await form(request)
        good = entered.get("authenticated") == "yes"
        settling.settle(self.shop, intent, "succeeded" if good else "failed")
        self.box.flush()
        if not back:
            return self.message("Done", f"The payment's status is {intent['status']}.")
        joint = "&" if "?" in back else "?"
        named = f"{kind}={intent['id']}&redirect_status={'succeeded' if good else 'failed'}"
        return RedirectResponse(f"{back}{joint}{named}", 303)

    async def payment_link(self, request: Request) -> Response:
        """Open a payment link: each visit creates a session."""
        link = self.shop.world.table("payment_link").get(request.path_params["id"])
        if link is None:
            return self.message("Not found", "This payment link doesn't exist.", status=404)
        if not link["active"]:
            text = (link.get("inactive_message") or "").strip() or "It has been deactivated."
            return self.message("This link is no longer active", text)
        query = request.query_params
        reference = query.get("client_reference_id") or ""
        allowed = len(reference) <= 200 and reference.replace("-", "").replace("_", "").isalnum()
        session = checkout.open_link(
            self.shop,
            link,
            reference=reference if allowed and reference.isascii() else None,
            email=query.get("locked_prefilled_email") or query.get("prefilled_email"),
            promotion_code=query.get("prefilled_promo_code"),
        )
        self.box.flush()
        return RedirectResponse(session["url"], 303)


def _methods(session: Json) -> list[tuple[str, str]]:
    """What a buyer may choose on the page, with its words: of what the session offers, that which
    the page plays."""
    offered = session["payment_method_types"]
    return [(value, text) for kind, value, text in METHODS if kind in offered]


def success_url(session: Json) -> str | None:
    """The address a buyer is sent to after paying, None if there isn't one."""
    url = session["success_url"] or session.get("return_url")
    return url.replace("{CHECKOUT_SESSION_ID}", session["id"]) if url else None
