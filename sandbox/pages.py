"""Pages: checkout, payment link, customer portal, invoice, and the control page."""

import time
from collections.abc import Awaitable, Callable
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from sandbox import buying, cards, checkout, invoices, refunds, settling, subscriptions
from sandbox.box import Sandbox
from sandbox.control.buying import buyer
from sandbox.shop import StripeFault
from sandbox.subscriptions import portal
from sandbox.world import Json

_TEMPLATES = Path(__file__).with_name("templates")
_ENVIRONMENT = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True)
_CARDS = [
    ("4242424242424242", "Works"),
    ("4000000000000002", "Declined"),
    ("4000000000000341", "Works now, later charges fail"),
    ("4000000000009995", "Insufficient funds"),
    ("4000002760003184", "Asks for 3-D Secure"),
    ("sepa_debit", "Bank debit: the money arrives later"),
]
_REASONS = [
    ("too_expensive", "It's too expensive"),
    ("unused", "I don't use it enough"),
    ("missing_features", "Something is missing"),
    ("switched_service", "I found something else"),
    ("other", "Another reason"),
]
_WHOLE = frozenset({"jpy", "krw", "vnd", "clp", "xof", "xaf", "pyg", "ugx"})


def money(amount: int | None, currency: str | None) -> str:
    """An amount in the minor unit, as people write it."""
    code = (currency or "usd").lower()
    value = amount or 0
    text = str(value) if code in _WHOLE else f"{value / 100:.2f}"
    return f"{text} {code.upper()}"


_ENVIRONMENT.globals["money"] = money


def routes(box: Sandbox) -> list[Route]:
    """The pages of one sandbox."""
    pages = Pages(box)
    return [
        Route("/", pages.control),
        Route("/sandbox.css", _style),
        Route("/c/pay/{id}", pages.checkout, methods=["GET", "POST"]),
        Route("/b/{id}", pages.payment_link),
        Route("/p/session/{id}", pages.portal, methods=["GET", "POST"]),
        Route("/i/{id}", pages.invoice),
        Route("/control/{what}", pages.act, methods=["POST"]),
    ]


async def _style(request: Request) -> Response:
    return FileResponse(_TEMPLATES / "sandbox.css")


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))


class Pages:
    """The pages, each a request in and a page out."""

    def __init__(self, box: Sandbox) -> None:
        self._box = box
        self._shop = box.shop

    def _page(self, name: str, status: int = 200, **values: Any) -> Response:
        account = self._shop.account["settings"]["dashboard"]["display_name"]
        text = _ENVIRONMENT.get_template(name).render(account=account, **values)
        return HTMLResponse(text, status, headers={"Cache-Control": "no-store"})

    def _message(
        self, heading: str, text: str, *, status: int = 200, back: str | None = None
    ) -> Response:
        return self._page("message.html", status, heading=heading, text=text, back=back)

    async def checkout(self, request: Request) -> Response:
        session = self._shop.world.table("checkout.session").get(request.path_params["id"])
        if session is None:
            return self._message("Nothing here", "There is no such checkout.", status=404)
        if session["status"] != "open":
            return self._message(
                "This checkout is over",
                f"It is {session['status']}.",
                back=_success(session) or session["cancel_url"],
            )
        entered = await _form(request) if request.method == "POST" else {}
        if not entered:
            return self._checkout_page(session, self._prefilled(session))
        if entered.get("authenticated") == "no":
            return self._checkout_page(
                session, entered, error="The bank did not confirm the payment."
            )
        try:
            outcome = buying.pay(self._shop, session, buyer(entered))
        except StripeFault as fault:
            return self._checkout_page(session, entered, error=str(fault))
        self._box.flush()
        if outcome == "requires_action":
            return self._checkout_page(session, entered, challenge=True)
        if outcome != "complete":
            return self._checkout_page(session, entered, error=cards.MESSAGES[outcome])
        if url := _success(session):
            return RedirectResponse(url, 303)
        return self._message("Thanks for your purchase", "A receipt would be on its way.")

    def _prefilled(self, session: Json) -> Json:
        customer = self._shop.world.table("customer").get(session["customer"]) or {}
        return {
            "email": customer.get("email") or session["customer_email"] or "",
            "name": customer.get("name") or "",
        }

    def _checkout_page(self, session: Json, entered: Json, **values: Any) -> Response:
        return self._page(
            "checkout.html",
            402 if values.get("error") else 200,
            session=session,
            lines=checkout.line_items(self._shop, session),
            entered=entered,
            locked=bool(session["customer"] or session["customer_email"]),
            cards=_CARDS,
            **values,
        )

    async def payment_link(self, request: Request) -> Response:
        link = self._shop.world.table("payment_link").get(request.path_params["id"])
        if link is None:
            return self._message("Nothing here", "There is no such payment link.", status=404)
        if not link["active"]:
            text = (link.get("inactive_message") or "").strip() or "It was switched off."
            return self._message("This link is no longer active", text)
        query = request.query_params
        session = checkout.open_link(
            self._shop,
            link,
            reference=query.get("client_reference_id"),
            email=query.get("locked_prefilled_email") or query.get("prefilled_email"),
        )
        self._box.flush()
        return RedirectResponse(session["url"], 303)

    async def invoice(self, request: Request) -> Response:
        found = self._shop.world.table("invoice").get(request.path_params["id"])
        if found is None:
            return self._message("Nothing here", "There is no such invoice.", status=404)
        return self._page("invoice.html", invoice=found)

    async def portal(self, request: Request) -> Response:
        session = self._shop.world.table("billing_portal.session").get(request.path_params["id"])
        if session is None:
            return self._message("Nothing here", "There is no such session.", status=404)
        error = note = None
        if request.method == "POST":
            try:
                note = self._portal_act(session["customer"], await _form(request))
            except StripeFault as fault:
                error = str(fault)
            self._box.flush()
        table = self._shop.world.table
        customer = self._shop.find("customer", session["customer"])
        configuration = table("billing_portal.configuration").get(session["configuration"])
        may_cancel = (
            configuration is None or configuration["features"]["subscription_cancel"]["enabled"]
        )
        mine = table("subscription").newest_first(
            {"customer": customer["id"]}, before=None, after=None
        )
        method = invoices.default_method(self._shop, customer)
        return self._page(
            "portal.html",
            customer=customer,
            subscriptions=[self._subscription(row, may_cancel=may_cancel) for row in mine],
            card=(method or {}).get("card"),
            invoices=list(
                table("invoice").newest_first({"customer": customer["id"]}, before=None, after=None)
            )[:12],
            reasons=_REASONS,
            back=session["return_url"],
            error=error,
            note=note,
        )

    def _portal_act(self, customer_id: str, entered: Json) -> str:
        if entered.get("do") == "card":
            customer = self._shop.find("customer", customer_id)
            method = cards.payment_method(self._shop, entered.get("card", ""))
            cards.attach(self._shop, method, customer)
            customer["invoice_settings"]["default_payment_method"] = method["id"]
            self._shop.save(customer, "customer.updated")
            mine = self._shop.world.table("subscription").newest_first(
                {"customer": customer_id}, before=None, after=None
            )
            for row in mine:
                row["default_payment_method"] = None
            return "Your card was changed."
        found = self._shop.find("subscription", entered.get("subscription"))
        if found["customer"] != customer_id:
            raise StripeFault(404, "No such subscription.")
        if entered.get("do") == "undo":
            subscriptions.update(self._shop, found, {"cancel_at": ""})
            return "Your subscription goes on."
        portal.cancel(self._shop, found, feedback=entered.get("feedback"), comment=None)
        return "Your subscription is cancelled; it runs until the end of what you paid for."

    def _subscription(self, row: Json, *, may_cancel: bool = True) -> Json:
        table = self._shop.world.table
        names = []
        for item in row["items"]["data"]:
            product = table("product").get(item["price"]["product"])
            names.append(product["name"] if product else item["price"]["product"])
        live = row["status"] in subscriptions.LIVE
        end = max(item["current_period_end"] for item in row["items"]["data"])
        if row["cancel_at"]:
            words = f"{row['status']}, ends {_when(row['cancel_at'])}"
        elif live:
            words = f"{row['status']}, until {_when(end)}"
        else:
            words = f"{row['status']}, ended {_when(row['ended_at'])}"
        customer = table("customer").get(row["customer"]) or {}
        return {
            "id": row["id"],
            "title": " + ".join(names),
            "words": words,
            "live": live,
            "may_undo": live and bool(row["cancel_at"]),
            "may_cancel": live and not row["cancel_at"] and may_cancel,
            "customer": f"{customer.get('name') or ''} {customer.get('email') or row['customer']}",
        }

    async def control(self, request: Request) -> Response:
        shop, table = self._shop, self._shop.world.table
        newest: dict[str, Any] = {"before": None, "after": None}
        rows = list(table("subscription").newest_first({}, **newest))
        shown = [row for row in rows if row["status"] in subscriptions.LIVE][:40]
        charges = list(islice(table("charge").newest_first({}, **newest), 20))
        deliveries = table("delivery").values()[-30:][::-1]
        return self._page(
            "control.html",
            now=_when(time.time()),
            month_seconds=shop.world.month_seconds,
            jumps=[
                (3600, "An hour"),
                (86400, "A day"),
                (7 * 86400, "A week"),
                (30 * 86400, "30 days"),
            ],
            prices=[self._price(row) for row in table("price").values() if row["active"]][:40],
            subscriptions=[self._subscription(row) for row in shown],
            charges=[self._charge(row) for row in charges],
            endpoints=table("webhook_endpoint").values(),
            faults=vars(self._box.deliveries.faults),
            deliveries=[{**row, "when": _when(row["created"])} for row in deliveries],
            requests=list(self._box.api.log)[-30:][::-1],
            note=request.query_params.get("note"),
            error=request.query_params.get("error"),
        )

    def _price(self, row: Json) -> Json:
        product = self._shop.world.table("product").get(row["product"]) or {"name": row["product"]}
        every = f" every {row['recurring']['interval']}" if row["recurring"] else ""
        return {
            "id": row["id"],
            "product": product["name"],
            "text": money(row["unit_amount"], row["currency"]) + every,
        }

    def _charge(self, row: Json) -> Json:
        refunded = "refunded" if row["refunded"] else row["status"]
        return {
            "id": row["id"],
            "who": row["billing_details"]["email"] or row["customer"] or "",
            "amount": row["amount"],
            "currency": row["currency"],
            "words": refunded,
            "refundable": row["status"] == "succeeded" and not row["refunded"],
            "pending": row["status"] == "pending",
        }

    async def act(self, request: Request) -> Response:
        """A button of the control page."""
        actions: dict[str, Callable[[Json], str | Awaitable[str]]] = {
            "advance": self._advance,
            "speed": self._speed,
            "checkout": self._new_checkout,
            "subscription": self._change_subscription,
            "charge": self._change_charge,
            "faults": self._set_faults,
            "resend": self._resend,
        }
        action = actions.get(request.path_params["what"])
        if action is None:
            return self._message("Nothing here", "There is no such button.", status=404)
        try:
            answer = action(await _form(request))
        except (StripeFault, ValueError, KeyError) as error:
            answer = f"/?error={error}"
        self._box.flush()
        return RedirectResponse(str(answer), 303)

    def _advance(self, entered: Json) -> str:
        done = self._box.clock.advance(int(entered["seconds"]))
        return f"/?note=Time moved on; {done} things became due."

    def _speed(self, entered: Json) -> str:
        seconds = float(entered.get("month_seconds") or 0)
        self._shop.world.month_seconds = seconds or None
        return "/?note=New periods have the new length."

    def _new_checkout(self, entered: Json) -> str:
        price = self._shop.find("price", entered["price"])
        session = checkout.create(
            self._shop,
            {
                "mode": "subscription" if price["recurring"] else "payment",
                "line_items": [{"price": price["id"], "quantity": 1}],
                "success_url": f"{self._shop.world.base_url}/?note=Paid.",
                "allow_promotion_codes": True,
            },
        )
        return str(session["url"])

    def _change_subscription(self, entered: Json) -> str:
        found = self._shop.find("subscription", entered["id"])
        match entered["do"]:
            case "undo":
                subscriptions.update(self._shop, found, {"cancel_at": ""})
            case "period_end":
                subscriptions.update(self._shop, found, {"cancel_at_period_end": True})
            case "now":
                subscriptions.cancel(self._shop, found)
            case "portal":
                world = self._shop.world
                made = world.make("billing_portal.session", "bps", customer=found["customer"])
                made["return_url"] = f"{world.base_url}/"
                made["url"] = f"{world.base_url}/p/session/{made['id']}"
                self._shop.save(made)
                return str(made["url"])
            case "to_end":
                ends = [item["current_period_end"] for item in found["items"]["data"]]
                seconds = (found["cancel_at"] or min(ends)) - self._shop.world.now() - 10
                self._box.clock.advance(seconds)
        return f"/?note=Done.#{found['id']}"

    def _change_charge(self, entered: Json) -> str:
        charge = self._shop.find("charge", entered["id"])
        if entered["do"] == "refund":
            refunds.refund(self._shop, charge, amount=None)
            return "/?note=Refunded."
        intent = self._shop.find("payment_intent", charge["payment_intent"])
        outcome = "succeeded" if entered["do"] == "arrive" else "failed"
        settling.settle(self._shop, intent, outcome)
        return "/?note=Done."

    def _set_faults(self, entered: Json) -> str:
        self._box.deliveries.faults.update({key: value or 0 for key, value in entered.items()})
        return "/?note=The faults are set."

    def _resend(self, entered: Json) -> str:
        self._box.deliveries.resend(self._shop.find("delivery", entered["id"]))
        return "/?note=Sent again."


def _success(session: Json) -> str | None:
    url = session["success_url"]
    return url.replace("{CHECKOUT_SESSION_ID}", session["id"]) if url else None


def _when(moment: float | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(moment)) if moment else ""
