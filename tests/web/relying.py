"""A site that lets people sign in with their account here, as its server sees it."""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import KeySet

from latchkey.store.oauth import clients
from latchkey.store.oauth.clients import ClientFields
from tests.harness import Json, Latchkey, http_client
from tests.web.pages import Visitor

BACK = "https://forum.example/callback"
EVERYTHING = ("openid", "profile", "email", "access", "offline_access")
FIELDS = ClientFields(
    name="The forum",
    confidential=True,
    first_party=True,
    pkce=True,
    redirect_uris=(BACK,),
    post_logout_redirect_uris=("https://forum.example/bye",),
    backchannel_logout_uri=None,
    scopes=EVERYTHING,
    product_required=False,
    product_id=None,
)


@dataclass
class RelyingParty:
    """A registered client. `verifier` belongs to the newest request."""

    site: Latchkey
    id: str
    secret: str | None
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    def request(self, **changes: str | None) -> str:
        """The address of an authorization request; None leaves a parameter out."""
        self.verifier = secrets.token_urlsafe(32)
        parameters: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.id,
            "redirect_uri": BACK,
            "scope": "openid email access",
            "state": "state-1",
            "nonce": "nonce-1",
            "code_challenge": challenge(self.verifier),
            "code_challenge_method": "S256",
            **changes,
        }
        kept = {name: value for name, value in parameters.items() if value is not None}
        return f"/oauth/authorize?{urlencode(kept)}"

    async def post(self, path: str, *, basic: bool = True, **fields: str) -> httpx.Response:
        """A call of its server, by HTTP Basic or with its secret in the form."""
        return await self._send(path, fields, basic=basic)

    async def _send(
        self, path: str, fields: Mapping[str, str | None], *, basic: bool = True
    ) -> httpx.Response:
        given = {name: value for name, value in fields.items() if value is not None}
        options: dict[str, Any] = {}
        if self.secret is None or not basic:
            given = {"client_id": self.id, **given}
            given |= {"client_secret": self.secret} if self.secret else {}
        else:
            options["auth"] = (quote(self.id), quote(self.secret))
        async with http_client(base_url=self.site.url) as client:
            return await client.post(path, data=given, **options)

    async def exchange(self, given: str, **changes: str | None) -> httpx.Response:
        fields: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": given,
            "redirect_uri": BACK,
            "code_verifier": self.verifier,
            **changes,
        }
        return await self._send("/oauth/token", fields)

    async def refresh(self, token: str, **changes: str | None) -> httpx.Response:
        fields = {"grant_type": "refresh_token", "refresh_token": token, **changes}
        return await self._send("/oauth/token", fields)

    async def userinfo(self, token: str) -> httpx.Response:
        async with http_client(base_url=self.site.url) as client:
            return await client.get("/oauth/userinfo", headers={"Authorization": f"Bearer {token}"})

    async def active(self, token: str) -> bool:
        answer = await self.post("/oauth/introspect", token=token)
        assert answer.status_code == 200, answer.text
        return bool(answer.json()["active"])

    async def sign_in(self, visitor: Visitor, **changes: str | None) -> Json:
        """The tokens for whoever is signed in here."""
        answer = answered(await visitor.goes(self.request(**changes)))
        assert "code" in answer, answer
        tokens = await self.exchange(answer["code"])
        assert tokens.status_code == 200, tokens.text
        found: Json = tokens.json()
        return found

    async def claims(self, token: str, kind: str = "JWT") -> Json:
        """What a signed token says, verified with the published keys."""
        async with http_client(base_url=self.site.url) as client:
            keys = KeySet.import_key_set((await client.get("/oauth/jwks")).json())
        found = jwt.decode(token, keys, algorithms=["RS256"])
        assert found.header["typ"] == kind
        return found.claims


async def register(site: Latchkey, fields: ClientFields = FIELDS) -> RelyingParty:
    async with site.pool.acquire() as connection, connection.transaction():
        client_id, secret = await clients.create(connection, fields)
    return RelyingParty(site, client_id, secret)


def challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def answered(address: str) -> dict[str, str]:
    """What an answer to the client says."""
    assert address.startswith(BACK), address
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
