"""A real HTTP server that takes what programs send about themselves."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Take = Callable[[str, bytes, str], None]
"""Takes a path, a body and its encoding."""


@contextlib.contextmanager
def collecting(take: Take) -> Iterator[str]:
    """The address of the server. It has a thread of its own, since those who send wait for the
    answer in one of theirs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            take(self.path, body, self.headers.get("Content-Encoding", ""))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
