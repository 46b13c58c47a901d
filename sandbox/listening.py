"""Sessions of the Stripe CLI: `stripe listen` and `stripe logs tail` wait here for what happens.

The CLI opens a session over the API and then a websocket, on which it gets JSON messages: events to
forward, or requests that were made. What it answers is only a receipt.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

Json = dict[str, Any]
WEBHOOKS, LOGS = "webhooks", "request_logs"
PROTOCOL = "stripecli-devproxy-v1"
RECONNECT_SECONDS = 60
MOST_WAITING = 1000


@dataclass
class Session:
    """One session: what it waits for, and the messages that it hasn't got yet."""

    id: str
    features: list[str]
    filters: Json
    queue: asyncio.Queue[Json] = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))

    def put(self, message: Json) -> None:
        """Queue a message; one that comes while too many wait is lost, as if nobody listened."""
        with suppress(asyncio.QueueFull):
            self.queue.put_nowait(message)


@dataclass
class Listeners:
    """The open sessions by id."""

    _open: dict[str, Session] = field(default_factory=dict)

    def open(self, session_id: str, features: list[str], filters: str) -> Session:
        """Begin a session. `filters` is JSON, as `stripe logs tail` sends it."""
        made = Session(session_id, features, orjson.loads(filters) if filters else {})
        self._open[session_id] = made
        return made

    def waiting(self, feature: str) -> bool:
        """Whether a session waits for a kind of message."""
        return any(feature in session.features for session in self._open.values())

    def tell(self, feature: str, message: Json) -> None:
        """Send a message to all that wait for its kind."""
        for session in self._open.values():
            if feature in session.features:
                session.put(message)

    def log(self, entry: Json, error: Json) -> None:
        """Report a request to those who tail the log."""
        payload = {
            "created_at": entry["at"],
            "livemode": False,
            "method": entry["method"],
            "request_id": entry["id"],
            "status": entry["status"],
            "url": entry["path"],
            "error": error,
        }
        message = {
            "type": "request_log_event",
            "request_log_id": entry["id"].replace("req_", "resp_"),
            "event_payload": orjson.dumps(payload).decode(),
        }
        for session in self._open.values():
            if LOGS in session.features and _passes(session.filters, entry):
                session.put(message)

    async def serve(self, socket: WebSocket) -> None:
        """The websocket of a session."""
        session = self._open.get(socket.headers.get("Websocket-Id", ""))
        if session is None:
            refusal = JSONResponse({"error": {"message": "Unknown WebSocket ID."}}, 404)
            await socket.send_denial_response(refusal)
            return
        await socket.accept(subprotocol=PROTOCOL)
        sending = asyncio.create_task(_send(session, socket))
        try:
            while True:
                await socket.receive_text()
        except WebSocketDisconnect:
            pass
        finally:
            sending.cancel()


async def _send(session: Session, socket: WebSocket) -> None:
    while True:
        await socket.send_text(orjson.dumps(await session.queue.get()).decode())


def _passes(filters: Json, entry: Json) -> bool:
    """Whether a request is one that `stripe logs tail` asked for."""
    status = str(entry["status"])
    found = {
        "filter_http_method": entry["method"],
        "filter_request_path": entry["path"],
        "filter_status_code": status,
        "filter_status_code_type": f"{status[0]}00",
        "filter_request_status": "SUCCEEDED" if entry["status"] < 400 else "FAILED",
    }
    return all(
        found[name].upper() in [str(value).upper() for value in wanted]
        for name, wanted in filters.items()
        if name in found
    )
