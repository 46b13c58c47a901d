"""Clients: the other sites that people may sign in to with their account here."""

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.languages import A_, _
from latchkey.outgoing_addresses import RefusedAddressError, destination_of
from latchkey.rules.oauth import Scope, unfit
from latchkey.store.oauth import clients
from latchkey.store.oauth.clients import Client, ClientFields
from latchkey.store.products import listing
from latchkey.texts import on_one_line
from web.pages.errors import NotFoundError
from web.pages.guard import admin_page, form, fresh_page, redirect, text
from web.pages.lists import number
from web.pages.render import page
from web.site import site_of
from web.wording.labels import CLIENT_SCOPES

LONGEST_NAME = 100
MOST_ADDRESSES = 20
CHOSEN_SCOPES = tuple(scope for scope in Scope if scope is not Scope.OPENID)


def routes() -> list[Route]:
    return [
        Route("/admin/clients", index),
        Route("/admin/clients/new", create, methods=["GET", "POST"]),
        Route("/admin/clients/{id}", edit, methods=["GET", "POST"]),
        Route("/admin/clients/{id}/secrets", renew_secret, methods=["POST"]),
        Route("/admin/clients/{id}/secrets/{secret}/revoke", revoke_secret, methods=["POST"]),
        Route("/admin/clients/{id}/delete", delete, methods=["GET", "POST"]),
    ]


@admin_page
async def index(request: Request) -> Response:
    async with site_of(request).pool.acquire() as connection:
        rows = await clients.listed(connection)
    return page(request, "admin/clients.html", rows=rows)


@admin_page
@fresh_page(back="/admin/clients/new")
async def create(request: Request) -> Response:
    """Register a client. Its secret is shown only then."""
    if request.method == "GET":
        return await _page(request, None)
    fields = await form(request)
    given, errors = await _read(request, fields)
    if given is None:
        return await _page(request, None, errors=errors)
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        client_id, secret = await clients.create(connection, given)
        client = await clients.find(connection, client_id)
    if secret is None:
        return redirect(f"/admin/clients/{client_id}?done=saved")
    return await _page(request, client, secret=secret)


@admin_page
@fresh_page(back="/admin/clients/{id}")
async def edit(request: Request) -> Response:
    client = await _client(request)
    if request.method == "GET":
        return await _page(request, client)
    given, errors = await _read(request, await form(request), client)
    if given is None:
        return await _page(request, client, errors=errors)
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        await clients.change(connection, client, given)
    return redirect(f"/admin/clients/{client.id}?done=saved")


@admin_page
@fresh_page(back="/admin/clients/{id}")
async def renew_secret(request: Request) -> Response:
    """Make another secret, which is shown only now."""
    await form(request)
    client = await _client(request)
    if not client.confidential:
        raise NotFoundError(_("A public client has no secret."))
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        secret = await clients.renew_secret(connection, client.id)
    return await _page(request, client, secret=secret)


@admin_page
@fresh_page(back="/admin/clients/{id}")
async def revoke_secret(request: Request) -> Response:
    await form(request)
    client, secret_id = await _client(request), number(request.path_params["secret"])
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        revoked = secret_id and await clients.revoke_secret(connection, client.id, secret_id)
    if not revoked:
        raise NotFoundError(_("This secret doesn't exist, or it has been revoked already."))
    return redirect(f"/admin/clients/{client.id}?done=secret-revoked")


@admin_page
@fresh_page(back="/admin/clients/{id}/delete")
async def delete(request: Request) -> Response:
    """Says what ends, then deletes the client."""
    client = await _client(request)
    if request.method == "GET":
        async with site_of(request).pool.acquire() as connection:
            use = await clients.use_of(connection, client.id)
        return page(request, "admin/client_delete.html", client=client, use=use)
    await form(request)
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        await clients.delete(connection, client)
    return redirect("/admin/clients?done=deleted")


async def _client(request: Request) -> Client:
    """The client of the path. Raises `NotFoundError`."""
    async with site_of(request).pool.acquire() as connection:
        client = await clients.find(connection, request.path_params["id"])
    if client is None:
        raise NotFoundError(_("This client doesn't exist."))
    return client


async def _page(
    request: Request,
    client: Client | None,
    *,
    errors: dict[str, str] | None = None,
    secret: str | None = None,
) -> Response:
    async with site_of(request).pool.acquire() as connection:
        products = await listing.names(connection)
        secrets = await clients.secrets_of(connection, client.id) if client else []
        use = await clients.use_of(connection, client.id) if client else None
    return page(
        request,
        "admin/client.html",
        422 if errors else 200,
        client=client,
        errors=errors or {},
        secret=secret,
        secrets=secrets,
        use=use,
        products=products,
        scopes=[(scope, _(CLIENT_SCOPES[scope])) for scope in CHOSEN_SCOPES],
        public_url=site_of(request).public_url,
    )


async def _read(
    request: Request, fields: FormData, client: Client | None = None
) -> tuple[ClientFields | None, dict[str, str]]:
    """What the form says, or what is wrong with it by field. Of a registered client, the kind
    stays."""
    errors: dict[str, str] = {}
    name = text(fields, "name")
    if not 1 <= len(name) <= LONGEST_NAME or not on_one_line(name):
        errors["name"] = _(
            "Enter a name on one line, up to %(longest_name)s characters.",
            longest_name=LONGEST_NAME,
        )
    kind, party = text(fields, "kind"), text(fields, "party")
    if client is not None:
        kind = "confidential" if client.confidential else "public"
    if kind not in ("confidential", "public"):
        errors["kind"] = _("Choose whether it can keep a secret.")
    if party not in ("first", "third"):
        errors["party"] = _("Choose whose site it is.")
    scopes = [value for value in fields.getlist("scopes") if value in CHOSEN_SCOPES]
    if len(scopes) < len(fields.getlist("scopes")):
        errors["scopes"] = _("Choose among these.")
    redirect_uris = _addresses(fields, "redirect_uris", errors)
    if not redirect_uris and "redirect_uris" not in errors:
        errors["redirect_uris"] = _("Enter at least one address.")
    after_logout = _addresses(fields, "post_logout_redirect_uris", errors)
    product_id = await _product(request, text(fields, "product"), errors)
    notice = _notice_address(text(fields, "backchannel_logout_uri"), errors)
    if errors:
        return None, errors
    return ClientFields(
        name=name,
        confidential=kind == "confidential",
        first_party=party == "first",
        pkce=kind == "public" or text(fields, "pkce") == "yes",
        redirect_uris=redirect_uris,
        post_logout_redirect_uris=after_logout,
        backchannel_logout_uri=notice or None,
        scopes=(Scope.OPENID, *(scope for scope in CHOSEN_SCOPES if scope in scopes)),
        product_required=product_id is not None,
        product_id=product_id,
    ), {}


def _addresses(fields: FormData, name: str, errors: dict[str, str]) -> tuple[str, ...]:
    """Addresses, one a line."""
    lines = [line.strip() for line in text(fields, name).splitlines()]
    found = tuple(dict.fromkeys(line for line in lines if line))
    if len(found) > MOST_ADDRESSES:
        errors[name] = _("Enter up to %(most_addresses)s addresses.", most_addresses=MOST_ADDRESSES)
    for address in found:
        if wrong := unfit(address):
            errors[name] = f"{address[:100]} {wrong}."
            break
    return found


def _notice_address(address: str, errors: dict[str, str]) -> str:
    if address:
        try:
            destination_of(address)
        except RefusedAddressError as refused:
            errors["backchannel_logout_uri"] = _(
                "This address can't be used: %(refused)s.", refused=refused
            )
        else:
            if wrong := unfit(address):
                errors["backchannel_logout_uri"] = _("This address %(wrong)s.", wrong=wrong)
    return address


async def _product(request: Request, product_id: str, errors: dict[str, str]) -> str | None:
    if not product_id:
        return None
    async with site_of(request).pool.acquire() as connection:
        if product_id not in {known for known, _ in await listing.names(connection)}:
            errors["product"] = A_("This product doesn't exist any more. Choose another one.")
    return product_id
