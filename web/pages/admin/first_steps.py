"""The first steps of a new site: one after the other, each judged by what has happened. Which of
them are done isn't kept anywhere; only that the team has put the list away."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import dispatch, go_live
from latchkey.languages import _
from latchkey.rules import first_steps as rules
from latchkey.rules.first_steps import FirstStep
from latchkey.rules.go_live import GoLiveFacts
from latchkey.store.checks import first_steps
from latchkey.store.checks.first_steps import FirstProduct
from latchkey.store.pool import Connection
from latchkey.store.users import factors
from latchkey.urls import is_local
from web import webhook_trial
from web.pages.guard import admin_page, at_most_hourly, form, redirect, text
from web.pages.render import page
from web.site import Site, site_of
from web.webhook_trial import TrialOutcome

HERE = "/admin/first-steps"
TRIALS_PER_HOUR = 20


@dataclass(frozen=True)
class Step:
    """One step of a guide; `address` is the page where it is done."""

    title: str
    text: str
    done: bool
    address: str
    action: str


@dataclass(frozen=True)
class Steps:
    """The first steps, in their order."""

    steps: dict[FirstStep, Step]

    @property
    def done(self) -> int:
        return sum(step.done for step in self.steps.values())

    def following(self, step: FirstStep | None = None) -> FirstStep | None:
        """The next step to take after one, or the first; None if no other is left."""
        return rules.following({name: one.done for name, one in self.steps.items()}, step)


@dataclass(frozen=True)
class Progress:
    """What a page where a step is taken says of the steps: how many are done, whether its own is,
    and which one is next."""

    done: int
    count: int
    here: FirstStep
    is_done: bool
    next_title: str | None


def routes() -> list[Route]:
    return [
        Route(HERE, show, methods=["GET", "POST"]),
        Route(f"{HERE}/webhook", try_webhook, methods=["POST"]),
    ]


@admin_page
async def show(request: Request) -> Response:
    """One step, by default the next one; posting `away` hides the steps from the dashboard, or
    shows them there again."""
    if request.method == "POST":
        away = text(await form(request), "away") == "yes"
        async with site_of(request).pool.acquire() as connection, connection.transaction():
            await first_steps.put(connection, away=away)
        return redirect("/admin?done=steps-hidden" if away else "/admin?done=saved")
    if site_of(request).settings.sandbox_url:
        return redirect("/admin")
    asked = request.query_params.get("step", "")
    return await _page(request, FirstStep(asked) if asked in list(FirstStep) else None)


@admin_page
async def try_webhook(request: Request) -> Response:
    """Have Stripe send an event, and say whether it arrived."""
    await form(request)
    await at_most_hourly(
        request,
        "webhook trials",
        most=TRIALS_PER_HOUR,
        otherwise=_(
            "%(most)s test events were sent within the last hour. Wait an hour, or look under"
            " Health whether events arrive.",
            most=TRIALS_PER_HOUR,
        ),
    )
    site = site_of(request)
    try:
        outcome = await webhook_trial.run(site)
    except (dispatch.TemporalUnavailableError, dispatch.WorkflowFailedError) as error:
        return await _page(
            request, FirstStep.WEBHOOK, problem=_("No test event was sent: %(error)s.", error=error)
        )
    if outcome is TrialOutcome.ARRIVED:
        return redirect(f"{HERE}?step={FirstStep.WEBHOOK}&done=event-arrived")
    return await _page(request, FirstStep.WEBHOOK, problem=_said(outcome, site))


def _said(outcome: TrialOutcome, site: Site) -> str:
    """What to do about a trial that failed."""
    match outcome:
        case TrialOutcome.REFUSED:
            return _("The key may not write products, so no test event was sent. See Connectors.")
        case TrialOutcome.COPY:
            return _("This site is a copy, so it writes nothing to Stripe.")
    silent = _("Stripe made the change, but no event arrived within 10 seconds.")
    url = site.public_url
    if is_local(url):
        return _(
            "%(silent)s Stripe can't reach %(url)s, which is only known on your machine:"
            " have the Stripe CLI forward events (stripe listen --forward-to"
            " %(url)s/webhooks/stripe), and enter the secret that it prints under"
            " Connectors.",
            silent=silent,
            url=url,
        )
    return _(
        "%(silent)s Most often, %(url)s can't be reached from outside, or leads somewhere else.",
        silent=silent,
        url=url,
    )


async def read(connection: Connection, site: Site) -> Steps:
    """The steps as they are now."""
    facts = await go_live.facts(connection, site.settings)
    return steps_of(facts, await first_steps.first_product(connection))


async def shown_on_dashboard(connection: Connection, site: Site) -> Steps | None:
    """The steps, until they are done or put away. With the sandbox there is a rehearsal instead."""
    if site.settings.sandbox_url or await first_steps.put_away(connection):
        return None
    steps = await read(connection, site)
    return None if steps.following() is None else steps


async def progress(request: Request, connection: Connection, here: FirstStep) -> Progress | None:
    """What the page where a step is taken says of the steps; None once they aren't shown."""
    if not request.state.user.is_admin:
        return None
    steps = await shown_on_dashboard(connection, site_of(request))
    if steps is None:
        return None
    following = steps.following(here)
    return Progress(
        done=steps.done,
        count=len(steps.steps),
        here=here,
        is_done=steps.steps[here].done,
        next_title=steps.steps[following].title if following else None,
    )


async def only_way_in(request: Request, connection: Connection) -> bool:
    """Whether nothing but one passkey lets who is signed in back in: no password, no second
    passkey, and no emailed link with a recovery code."""
    user = request.state.user
    if user.password_hash is not None:
        return False
    owned = await factors.of_user(connection, user.id)
    if owned.passkeys != 1 or owned.app:
        return False
    facts = await go_live.facts(connection, site_of(request).settings)
    return not (facts.mail_tested and owned.codes)


def steps_of(facts: GoLiveFacts, product: FirstProduct | None) -> Steps:
    """The steps with their words."""
    taken = rules.done(facts)
    words: Mapping[FirstStep, tuple[str, str, str, str]] = {
        FirstStep.MAIL: (
            _("Set up email"),
            _(
                "Members sign in by email. Enter your provider's mail server: it is tested"
                " with an email to you."
            ),
            "/admin/mails/server",
            _("Set up the mail server"),
        ),
        FirstStep.STRIPE: (
            _("Connect Stripe"),
            _(
                "Of the permissions that the key needs, %(missing)s are missing.",
                missing=facts.missing,
            )
            if facts.connected and facts.missing
            else _(
                "A button opens Stripe's page for a restricted key with the permissions"
                " chosen; each is checked. Begin with a test key: with it, nobody pays."
            ),
            "/admin/connectors",
            _("Connect Stripe"),
        ),
        FirstStep.WEBHOOK: _webhook(facts),
        FirstStep.PRODUCT: _product(product),
        FirstStep.PURCHASE: _purchase(facts, product),
        FirstStep.GO_LIVE: (
            _("Go live"),
            _(
                "A checklist of what members rely on: https, backups, second factors, the"
                " portal's links, a live key."
            ),
            "/admin/go-live",
            _("Go-live checklist"),
        ),
    }
    return Steps(
        {
            step: Step(title, said, taken[step], address, action)
            for step, (title, said, address, action) in words.items()
        }
    )


def _webhook(facts: GoLiveFacts) -> tuple[str, str, str, str]:
    if not facts.connected:
        said = _("Once Stripe is connected, a test event shows whether its events arrive here.")
    elif facts.endpoint_problems:
        said = _(
            "The webhook endpoint needs attention, so purchases and cancellations are noticed late."
        )
    else:
        said = _(
            "Stripe reports purchases and cancellations as events. The test creates a"
            " product in Stripe, archived and without a price, deletes it again, and"
            " waits for the event."
        )
    address = "/admin/health" if facts.connected else "/admin/connectors"
    return (
        _("Receive an event"),
        said,
        address,
        _("Health") if facts.connected else _("Connect Stripe"),
    )


def _product(product: FirstProduct | None) -> tuple[str, str, str, str]:
    title = _("Link your first product")
    if product is None:
        said = _(
            "Create what your members get access to: a course, a community, a download."
            " Then link it to a Stripe product, or have one created."
        )
        return title, said, "/admin/products/new", _("Create a product")
    said = _(
        "Whoever has bought the Stripe product gets access to %(name)s. A preview"
        " shows who before anything happens.",
        name=product.name,
    )
    return title, said, f"/admin/products/{product.id}", _("Link to Stripe")


def _purchase(facts: GoLiveFacts, product: FirstProduct | None) -> tuple[str, str, str, str]:
    title = _("See it as a buyer")
    pay = (
        _("You pay for real with a live key: refund it in Stripe afterwards.")
        if facts.livemode
        else _("Pay with the card 4242 4242 4242 4242, any date to come and any code.")
    )
    if product is None or not product.linked:
        said = _("Buy your first product once, as a member will. %(pay)s", pay=pay)
        return title, said, "/admin/products", _("Products")
    here = f"/admin/products/{product.id}"
    if not product.sold:
        said = _("Choose at which price it is sold here. A payment link of Stripe's will do, too.")
        return title, said, f"{here}/checkout", _("Choose how it's sold")
    if not product.live:
        said = _("Only your team sees it so far. Set its status to Live, and buyers find it.")
        return title, said, here, _("Open the product")
    said = _(
        "Open its address in a private window, and buy it with another email address. %(pay)s",
        pay=pay,
    )
    return title, said, f"/buy/{product.slug}", _("Open the buyer's address")


async def _page(
    request: Request, asked: FirstStep | None, *, problem: str | None = None
) -> Response:
    site = site_of(request)
    async with site.pool.acquire() as connection:
        steps = await read(connection, site)
        away = await first_steps.put_away(connection)
        only_passkey = await only_way_in(request, connection)
    at = asked or steps.following()
    return page(
        request,
        "admin/first_steps.html",
        422 if problem else 200,
        steps=steps,
        at=at,
        step=steps.steps[at] if at else None,
        following=steps.following(at),
        tries=at is FirstStep.WEBHOOK and steps.steps[FirstStep.STRIPE].done,
        problem=problem,
        away=away,
        only_passkey=only_passkey,
    )
