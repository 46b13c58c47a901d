"""Connect your site: the steps for each kind of site, with this site's own values, and a check of
what works."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlencode, urlsplit

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.languages import A_, _
from latchkey.outgoing_addresses import RefusedAddressError
from latchkey.outgoing_http import Answer, NoAnswerError
from latchkey.rules.forward_auth import origin_of, unfit_origin
from latchkey.store.oauth import connecting
from latchkey.store.oauth.connecting import ConnectionFacts
from latchkey.store.products import listing
from web import integration_files
from web.forward_auth.verify import ENTER
from web.integration_files import LATCHKEY_AT, SITE_AT, OwnValues, is_listener
from web.pages.errors import NotFoundError
from web.pages.guard import admin_page, at_most_hourly, form, text
from web.pages.render import page
from web.site import Site, site_of
from web.wording.times import ago

CHECKS_PER_HOUR = 60
EXAMPLE = "https://course.example.com"


class Way(StrEnum):
    """How a site finds out who may open what."""

    SIGN_IN = "sign_in"
    PROXY = "proxy"
    PROGRAM = "program"
    BUTTONS = "buttons"


@dataclass(frozen=True)
class Kind:
    """A kind of site. `callback` is the path there that people come back to after signing in."""

    slug: str
    name: str
    way: Way
    text: str
    callback: str = ""


KINDS = (
    Kind(
        "wordpress",
        "WordPress",
        Way.SIGN_IN,
        A_("People sign in there, and a shortcode shows parts of a page to members alone."),
    ),
    Kind(
        "discourse",
        "Discourse",
        Way.SIGN_IN,
        A_("People sign in to the forum with their account here."),
        "/auth/oidc/callback",
    ),
    Kind(
        "apache",
        "Apache",
        Way.SIGN_IN,
        A_("Opens a static site, or anything else behind Apache, to people with a product."),
        "/oidc/callback",
    ),
    Kind(
        "openid-connect",
        A_("Anything with OpenID Connect"),
        Way.SIGN_IN,
        A_(
            "A course platform, a wiki, a shop: anything that offers “Sign in with OpenID Connect”."
        ),
    ),
    Kind("nginx", "nginx", Way.PROXY, A_("It asks Latchkey before each request.")),
    Kind("caddy", "Caddy", Way.PROXY, A_("It asks Latchkey before each request.")),
    Kind("traefik", "Traefik", Way.PROXY, A_("It asks Latchkey before each request.")),
    Kind("haproxy", "HAProxy", Way.PROXY, A_("It asks Latchkey before each request.")),
    Kind("nextjs", "Next.js", Way.PROGRAM, A_("Your route handlers ask who has access.")),
    Kind("express", "Express", Way.PROGRAM, A_("Your routes ask who has access.")),
    Kind("fastapi", "FastAPI", Way.PROGRAM, A_("Your dependencies ask who has access.")),
    Kind("django", "Django", Way.PROGRAM, A_("Your views ask who has access.")),
    Kind("laravel", "Laravel", Way.PROGRAM, A_("Your middleware asks who has access.")),
    Kind("program", A_("Your own program"), Way.PROGRAM, A_("In any language, with our JSON API.")),
    Kind(
        "page", A_("An HTML page"), Way.BUTTONS, A_("A button with the price. It needs no server.")
    ),
)
GROUPS = (
    (A_("People sign in with their account here"), Way.SIGN_IN),
    (A_("A web server asks before each request"), Way.PROXY),
    (A_("Your program asks"), Way.PROGRAM),
    (A_("A page without a server"), Way.BUTTONS),
)


class Tone(StrEnum):
    """How a finding looks."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True)
class SiteFinding:
    """What a check found about one thing, and the page on which to change it."""

    tone: Tone
    text: str
    address: str | None = None


def routes() -> list[Route]:
    return [
        Route("/admin/connect", index),
        Route("/admin/connect/{kind}", steps, methods=["GET", "POST"]),
        Route("/admin/connect/wordpress/plugin", plugin),
        Route("/admin/connect/{kind}/{file}", download),
    ]


@admin_page
async def index(request: Request) -> Response:
    groups = [(name, [kind for kind in KINDS if kind.way is way]) for name, way in GROUPS]
    return page(request, "admin/connect.html", groups=groups)


@admin_page
async def steps(request: Request) -> Response:
    """The steps for one kind of site; posting its address checks what works."""
    fields = await form(request) if request.method == "POST" else None
    kind = next((one for one in KINDS if one.slug == request.path_params["kind"]), None)
    if kind is None:
        raise NotFoundError(_("There are no steps for this kind of site."))
    if fields is None:
        address = request.query_params.get("address", "")
        wrong = unfit_origin(address) if address else None
        return await _page(
            request,
            kind,
            address,
            problem=_("The address %(wrong)s.", wrong=wrong) if wrong else None,
        )
    address = text(fields, "address")
    if wrong := unfit_origin(address):
        return await _page(request, kind, address, problem=_("The address %(wrong)s.", wrong=wrong))
    await at_most_hourly(
        request,
        f"checks of sites {request.state.user.id}",
        most=CHECKS_PER_HOUR,
        otherwise=_(
            "You have checked %(most)s sites within the last hour. Wait an hour.",
            most=CHECKS_PER_HOUR,
        ),
    )
    origin = origin_of(address)
    findings = await _check(site_of(request), kind, origin)
    return await _page(request, kind, origin, findings=findings)


@admin_page
async def plugin(request: Request) -> Response:
    """The WordPress plugin as a zip."""
    name, content = integration_files.plugin()
    return _attachment(name, content, "application/zip")


@admin_page
async def download(request: Request) -> Response:
    """A file of a web server's configuration, with the values of the page that leads here."""
    kind = request.path_params["kind"]
    if kind not in integration_files.CONFIGURATIONS:
        raise NotFoundError(A_("There is no such file."))
    async with site_of(request).pool.acquire() as connection:
        products = await listing.live_slugs(connection)
    own, _ = _own_values(request, products, request.query_params.get("address", ""))
    content = integration_files.configuration(kind, own).get(request.path_params["file"])
    if content is None:
        raise NotFoundError(A_("There is no such file."))
    return _attachment(request.path_params["file"], content, "text/plain")


def _attachment(name: str, content: str | bytes, media_type: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers=headers)


def _own_values(
    request: Request, products: Sequence[tuple[str, str]], address: str
) -> tuple[OwnValues, dict[str, str]]:
    """The values that the steps are filled with, and what is wrong with those in the address."""
    asked, errors = request.query_params, {}
    product = asked.get("product", "")
    if product not in dict(products):
        product = products[0][0] if products else "your-product"
    at = {"latchkey_at": LATCHKEY_AT, "site_at": SITE_AT}
    for name in at:
        if is_listener(asked.get(name, at[name])):
            at[name] = asked.get(name, at[name])
        else:
            errors[name] = _("Enter a host and a port, such as %(at)s.", at=at[name])
    own = OwnValues(
        origin=EXAMPLE if unfit_origin(address) else origin_of(address),
        host=urlsplit(site_of(request).public_url).netloc,
        product=product,
        **at,
    )
    return own, errors


async def _page(
    request: Request,
    kind: Kind,
    address: str,
    *,
    problem: str | None = None,
    findings: list[SiteFinding] | None = None,
) -> Response:
    site = site_of(request)
    async with site.pool.acquire() as connection:
        products = await listing.live_slugs(connection)
    own, errors = _own_values(request, products, address)
    if problem:
        errors["address"] = problem
    filled, files = {"product": own.product, "address": address}, {}
    if kind.way is Way.PROXY:
        filled |= {"latchkey_at": own.latchkey_at, "site_at": own.site_at}
        files = integration_files.configuration(kind.slug, own)
    return page(
        request,
        "admin/connect_steps.html",
        422 if errors else 200,
        kind=kind,
        address=address,
        errors=errors,
        findings=findings,
        products=products,
        own=own,
        asked=request.query_params,
        public_url=site.public_url,
        files=files,
        query=urlencode(filled),
    )


async def _check(site: Site, kind: Kind, origin: str) -> list[SiteFinding]:
    """What works of a site's connection. Nothing is changed."""
    answer, reached = await _reach(site, origin)
    async with site.pool.acquire() as connection:
        host = urlsplit(origin).hostname or ""
        facts = await connecting.facts(connection, origin=origin, host=host)
    match kind.way:
        case Way.SIGN_IN:
            return [reached, *signing_in(facts)]
        case Way.PROXY:
            return [reached, *proxied(facts, answer, origin=origin)]
        case Way.PROGRAM:
            return [reached, *asking(facts)]
        case Way.BUTTONS:
            named = origin in site.look.embed_origins
            return [reached, *embedding(answer, site.public_url, named=named)]


async def _reach(site: Site, origin: str) -> tuple[Answer | None, SiteFinding]:
    try:
        answer = await site.outgoing.get(f"{origin}/")
    except RefusedAddressError as error:
        return None, SiteFinding(
            Tone.WARN, _("It can't be checked from here: %(error)s.", error=error)
        )
    except NoAnswerError as error:
        return None, SiteFinding(
            Tone.BAD, _("It can't be reached from here: %(error)s.", error=error)
        )
    if answer.status >= 500:
        return answer, SiteFinding(
            Tone.BAD, _("It answers with status %(status)s.", status=answer.status)
        )
    return answer, SiteFinding(
        Tone.GOOD, _("It answers with status %(status)s.", status=answer.status)
    )


def signing_in(facts: ConnectionFacts) -> list[SiteFinding]:
    """Whether people sign in there by OpenID Connect."""
    if facts.client_id is None:
        text = _("No client has a redirect address there. Register one.")
        return [SiteFinding(Tone.BAD, text, "/admin/clients/new")]
    client = f"/admin/clients/{facts.client_id}"
    found = [
        SiteFinding(
            Tone.GOOD,
            _("The client “%(client_name)s” belongs to it.", client_name=facts.client_name),
            client,
        )
    ]
    if facts.signed_in_at is None:
        text = _("Nobody has signed in there yet. Try it yourself.")
        return [*found, SiteFinding(Tone.WARN, text, client)]
    text = Markup(_("Somebody signed in there {}.")).format(ago(facts.signed_in_at))
    return [*found, SiteFinding(Tone.GOOD, text, client)]


def proxied(facts: ConnectionFacts, answer: Answer | None, *, origin: str) -> list[SiteFinding]:
    """Whether a web server asks before it lets anybody in. One that does sends strangers to the
    beginning of the way in, at its own address."""
    if facts.protected_site_id is None:
        text = _("It isn't a protected site yet. Add it.")
        return [SiteFinding(Tone.BAD, text, "/admin/protected-sites/new")]
    page = f"/admin/protected-sites/{facts.protected_site_id}"
    found = [SiteFinding(Tone.GOOD, _("It is a protected site."), page)]
    if answer is not None and answer.status < 400:
        if answer.location.startswith((f"{origin}{ENTER}?", f"{ENTER}?")):
            text = _("It sends visitors here to sign in.")
            found.append(SiteFinding(Tone.GOOD, text))
        else:
            text = _("It lets in visitors who aren't signed in: its web server doesn't ask here.")
            found.append(SiteFinding(Tone.BAD, text))
    if facts.entered_at is None:
        text = _("Nobody has entered within the last day. Try it yourself.")
        return [*found, SiteFinding(Tone.WARN, text)]
    text = Markup(_("Somebody entered {}.")).format(ago(facts.entered_at))
    return [*found, SiteFinding(Tone.GOOD, text)]


def asking(facts: ConnectionFacts) -> list[SiteFinding]:
    """Whether a program asks, and hears of changes."""
    if facts.token_used_at is None:
        text = _("No API token has been used yet. Make one, and have your program ask with it.")
        found = [SiteFinding(Tone.BAD, text, "/admin/tokens")]
    else:
        text = Markup(_("An API token was last used {}.")).format(ago(facts.token_used_at))
        found = [SiteFinding(Tone.GOOD, text, "/admin/tokens")]
    if facts.endpoint_id is None:
        text = _("There's no webhook endpoint at this host. Without one, it has to ask each time.")
        return [*found, SiteFinding(Tone.WARN, text, "/admin/webhooks/new")]
    page = f"/admin/webhooks/{facts.endpoint_id}"
    if facts.failing_since is not None:
        text = Markup(_("Its webhook endpoint began to fail {}.")).format(ago(facts.failing_since))
        return [*found, SiteFinding(Tone.BAD, text, page)]
    if facts.delivered_at is None:
        text = _("Its webhook endpoint hasn't received an event yet. Send a test event.")
        return [*found, SiteFinding(Tone.WARN, text, page)]
    text = Markup(_("Its webhook endpoint last received an event {}.")).format(
        ago(facts.delivered_at)
    )
    return [*found, SiteFinding(Tone.GOOD, text, page)]


def embedding(answer: Answer | None, public_url: str, *, named: bool) -> list[SiteFinding]:
    """Whether a page may show buttons, and does."""
    settings = "/admin/settings/embed"
    if named:
        found = [SiteFinding(Tone.GOOD, _("Its pages may show buttons."), settings)]
    else:
        text = _("Its pages can't show buttons yet. Add its origin under Settings, Buttons.")
        found = [SiteFinding(Tone.BAD, text, settings)]
    if answer is not None and answer.accepted:
        if f"{public_url}/embed.js".encode() in answer.body:
            found.append(SiteFinding(Tone.GOOD, _("The script is on its home page.")))
        else:
            text = _("The script isn't near the top of its home page. It may be on another page.")
            found.append(SiteFinding(Tone.WARN, text))
    return found
