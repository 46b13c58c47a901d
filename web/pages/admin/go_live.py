"""The go-live checklist: ticks itself off from facts; what only a person knows has a button."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import go_live as gathered
from latchkey import public_address
from latchkey.languages import _, ngettext
from latchkey.rules.go_live import CLOCK_TOLERANCE, CONFIRMED, GoLiveFacts, GoLiveStep, done
from latchkey.rules.public_address import sentence
from latchkey.settings import Settings
from latchkey.store.checks import go_live
from web.pages.errors import NotFoundError
from web.pages.guard import admin_page, at_most_hourly, form, redirect
from web.pages.render import page
from web.site import site_of
from web.wording.stored import said

LOOKS_PER_HOUR = 60


@dataclass(frozen=True)
class Shown:
    """One step as the page shows it. `address` leads to where it is taken, if that is here."""

    step: GoLiveStep
    done: bool
    title: str
    text: str
    address: str = ""
    action: str = ""

    @property
    def asks(self) -> bool:
        """Whether a person has to say that it is done."""
        return not self.done and self.step in CONFIRMED

    @property
    def looks(self) -> bool:
        """Whether the site can look by itself."""
        return self.step is GoLiveStep.ADDRESS


def routes() -> list[Route]:
    return [
        Route("/admin/go-live", show),
        Route("/admin/go-live/address/look", look, methods=["POST"]),
        Route("/admin/go-live/{step}", confirm, methods=["POST"]),
    ]


@admin_page
async def show(request: Request) -> Response:
    site = site_of(request)
    async with site.pool.acquire() as connection:
        facts = await gathered.facts(connection, site.settings)
    steps = shown(facts, site.settings)
    return page(
        request,
        "admin/go_live.html",
        steps=steps,
        count=sum(step.done for step in steps),
        looked_at=facts.address.at if facts.address else None,
    )


@admin_page
async def look(request: Request) -> Response:
    """Look at the site's public address."""
    await form(request)
    await at_most_hourly(
        request,
        "looks at the address",
        most=LOOKS_PER_HOUR,
        otherwise=_(
            "The address was looked at %(most)s times within the last hour. Wait an hour.",
            most=LOOKS_PER_HOUR,
        ),
    )
    site = site_of(request)
    await public_address.look_and_note(site.pool, site.settings)
    site.bell.forget()
    return redirect("/admin/go-live#address")


@admin_page
async def confirm(request: Request) -> Response:
    """Tick off a step on a person's word."""
    await form(request)
    step = request.path_params["step"]
    if step not in CONFIRMED:
        raise NotFoundError(_("This step doesn't exist, or ticks itself off."))
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        await go_live.confirm(connection, GoLiveStep(step))
    return redirect("/admin/go-live?done=saved")


def shown(facts: GoLiveFacts, settings: Settings) -> list[Shown]:
    """Every step with what was found and where it is taken."""
    return [
        Shown(step, is_done, *_words(step, facts, settings))
        for step, is_done in done(facts).items()
    ]


def _words(step: GoLiveStep, facts: GoLiveFacts, settings: Settings) -> tuple[str, ...]:
    """The title, what is found or to be done, and, where a page of ours is for it, the page's
    address and a link's text."""
    return {**_of_server(facts, settings), **_of_stripe(facts, settings)}[step]


def _of_server(facts: GoLiveFacts, settings: Settings) -> dict[GoLiveStep, tuple[str, ...]]:
    return {
        GoLiveStep.HTTPS: (
            _("The site is reached by https"),
            _(
                "Its address is %(public_url)s. Put a proxy with TLS in front of it, and set"
                " LATCHKEY_PUBLIC_URL to the https address.",
                public_url=settings.public_url,
            )
            if not facts.https
            else _("Its address is %(public_url)s.", public_url=settings.public_url),
        ),
        GoLiveStep.ADDRESS: (_("Its address leads here"), _address(facts, settings)),
        GoLiveStep.MAIL: (
            _("Emails are sent"),
            _("The mail server accepts emails.")
            if facts.mail_tested
            else _("Set the mail server up and send a test email. Members sign in by email."),
            "/admin/mails/server",
            _("Mail server"),
        ),
        GoLiveStep.FACTORS: (
            _("Everyone on the team has a second factor"),
            ngettext(
                "%(count)s person has none. An authenticator app or a passkey takes a minute"
                " to set up in one's own account.",
                "%(count)s people have none. An authenticator app or a passkey takes a minute"
                " to set up in one's own account.",
                facts.without_factor,
            )
            if facts.without_factor
            else _("Whoever learns a password can't do anything with it alone."),
            "/admin/settings/team/second-factor",
            _("Second factors"),
        ),
        GoLiveStep.SECRET: (
            _("LATCHKEY_SECRET is kept in a second place"),
            _(
                "Without it, a backup opens neither the Stripe key nor the team's"
                " authenticator apps. Keep a copy in a password manager. What “latchkey up”"
                " made is in the file “secret” of its data folder."
            ),
        ),
        GoLiveStep.BACKUP: (
            _("The database is backed up"),
            _("The last backup is recent, or other means make them.")
            if facts.backed_up
            else ngettext(
                "Run “latchkey backup” every night: the last one should be no older than"
                " %(count)s hour. If other means back the database up, set"
                " LATCHKEY_BACKUP_HOURS to 0.",
                "Run “latchkey backup” every night: the last one should be no older than"
                " %(count)s hours. If other means back the database up, set"
                " LATCHKEY_BACKUP_HOURS to 0.",
                settings.backup_hours,
            ),
        ),
        GoLiveStep.CLOCK: (
            _("The clock is right"),
            _(
                "It is off by %(seconds)s seconds, compared with the database or Stripe. Switch on"
                " NTP on this machine and the database's.",
                seconds=f"{facts.clock_off.total_seconds():.0f}",
            )
            if facts.clock_off > CLOCK_TOLERANCE
            else _("It agrees with the database and Stripe."),
        ),
    }


def _address(facts: GoLiveFacts, settings: Settings) -> str:
    url = settings.public_url
    if facts.address is not None:
        local = " " + _("Only your machine or its network knows it.") if settings.is_local else ""
        return f"{said(sentence(facts.address, url))}{local}"
    return _(
        "The site can look by itself what answers at %(url)s, and what is in the way.", url=url
    )


def _of_stripe(facts: GoLiveFacts, settings: Settings) -> dict[GoLiveStep, tuple[str, ...]]:
    return {
        GoLiveStep.KEY: (
            _("Stripe is connected"),
            _("The key has every permission.")
            if facts.connected and not facts.missing
            else ngettext(
                "The key lacks %(count)s permission.",
                "The key lacks %(count)s permissions.",
                facts.missing,
            )
            if facts.connected
            else _("Create a restricted key in Stripe, and enter it."),
            "/admin/connectors",
            _("Connectors"),
        ),
        GoLiveStep.WEBHOOK: (
            _("Stripe's events arrive"),
            _("The webhook endpoint sends what is needed, and an event has arrived.")
            if facts.endpoint_problems == 0 and facts.heard
            else _("The webhook endpoint needs attention.")
            if facts.endpoint_problems
            else _(
                "None has arrived since Stripe was connected. Any change will do: edit a"
                " product's description in Stripe."
            ),
            "/admin/health",
            _("Health"),
        ),
        GoLiveStep.PORTAL: (
            _("The customer portal has its links"),
            _("It is switched off, or links to your privacy policy and terms.")
            if facts.portal_linked
            else _(
                "Enter the addresses of your privacy policy and terms of service, which"
                " Stripe's portal shows, or switch the portal off."
            ),
            "/admin/connectors#portal",
            _("Customer portal"),
        ),
        GoLiveStep.PRODUCT: (
            _("A product is linked to Stripe"),
            _("Whoever buys it in Stripe gets access.")
            if facts.linked
            else _("A preview shows who gets access before anything happens."),
            "/admin/products",
            _("Products"),
        ),
        GoLiveStep.PURCHASE: (
            _("A purchase has come through"),
            _("The activity feed has it.")
            if facts.bought
            else _(
                "Buy the linked product once: in test mode with the card 4242 4242 4242 4242,"
                " in live mode for real, and refund it."
            ),
            "/admin/activity",
            _("Activity"),
        ),
        GoLiveStep.MODE: (
            _("The key is a live one"),
            _("Real purchases count.")
            if facts.livemode
            else _("The sandbox stands in for Stripe. Under Connectors you leave it.")
            if settings.sandbox_url
            else _(
                "This site is connected in test mode. Live mode needs a site with a database"
                " of its own: docs/stripe.md says why."
            ),
            "/admin/connectors",
            _("Connectors"),
        ),
    }
