"""A FastAPI app with a course for those who have it, told at once when that changes."""

import os
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from latchkey_client import AsyncLatchkey, WebhookError, verify_webhook

SITE = os.environ["LATCHKEY_URL"]
SECRET = os.environ["LATCHKEY_WEBHOOK_SECRET"]
COURSE = os.environ.get("COURSE", "course")

latchkey = AsyncLatchkey(SITE, os.environ["LATCHKEY_TOKEN"])
app = FastAPI()


def signed_in_email() -> str | None:
    """Who is signed in at this app: put your own here. Never believe what a browser says."""
    return None


class NotBoughtError(Exception):
    pass


@app.exception_handler(NotBoughtError)
async def buy(request: Request, error: NotBoughtError) -> Response:
    return RedirectResponse(f"{SITE}/buy/{COURSE}", 303)


async def buyer(email: Annotated[str | None, Depends(signed_in_email)]) -> str:
    if email is None:
        raise HTTPException(401, "sign in first")
    if not await latchkey.has_access(COURSE, email=email):
        raise NotBoughtError
    return email


@app.get("/course")
async def course(email: Annotated[str, Depends(buyer)]) -> dict[str, str]:
    return {"lesson": f"Welcome, {email}"}


@app.post("/webhooks/latchkey", status_code=204)
async def webhook(request: Request) -> None:
    try:
        event = verify_webhook(SECRET, await request.body(), request.headers)
    except WebhookError:
        raise HTTPException(400, "this wasn't signed by the site") from None
    if event["type"] == "access.ended":
        pass  # close the sessions of event["data"]["user"] here
