"""The challenges that browsers answer with a passkey: each once, by the browser that was asked."""

from starlette.requests import Request
from starlette.responses import Response

from latchkey import passkeys
from latchkey.store.pool import Connection
from latchkey.store.users import passkeys as stored
from web.security import browser_of
from web.site import site_of


async def ask(
    request: Request, connection: Connection, question: passkeys.Question, *, user_id: int | None
) -> Response:
    """What a browser is asked, as JSON. `user_id` is None for somebody who signs in or sets the
    site up."""
    await stored.keep_challenge(
        connection,
        question.challenge,
        browser=browser_of(request),
        user_id=user_id,
        seconds=passkeys.CHALLENGE_SECONDS,
    )
    return Response(question.options, media_type="application/json")


async def take(
    request: Request, connection: Connection, answer: str, *, user_id: int | None
) -> tuple[passkeys.RelyingParty, bytes]:
    """Who asked, and the challenge that a browser answers, which is used up. Raises
    `PasskeyRefusedError`."""
    party = passkeys.relying_party(site_of(request).public_url)
    if party is None:
        raise passkeys.PasskeyRefusedError("the site's address doesn't allow passkeys")
    challenge = passkeys.challenge_in(answer)
    if not await stored.take_challenge(
        connection, challenge, browser=browser_of(request), user_id=user_id
    ):
        raise passkeys.PasskeyRefusedError("the challenge is unknown, expired or used")
    return party, challenge
