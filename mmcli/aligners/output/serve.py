"""The page of a stream while it is followed, for browsers on this machine.

A server of the standard library on the loopback interface, for as long as the stream lasts. It answers two addresses,
the page and its events (Server-Sent Events, WHATWG HTML, section 9.2), and only where it is asked by its own name: a
page from elsewhere whose name was made to point here (DNS rebinding) is refused.
"""

from __future__ import annotations

import errno
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from mmcli.aligners.live.history import History
from mmcli.aligners.output import following
from mmcli.errors import UsageError

HOST = "127.0.0.1"
ALIVE_S = 10.0  # after which a line says that nothing new came; a browser that left is noticed by it
LAST_S = 2.0  # given to browsers at the end, to hear of it
MOST = 32  # browsers at a time


class Server:
    """``page`` at :attr:`address` while the ``with`` block runs; what ``history`` gets is sent to who looks at it.

    Raises :class:`UsageError` where the port is taken.
    """

    def __init__(self, page: str, history: History, port: int = 0) -> None:
        try:
            self.server = _Server((HOST, port), page.encode(), following.policy(page), history)
        except OSError as problem:
            taken = "is taken" if problem.errno == errno.EADDRINUSE else f"cannot be had: {problem.strerror}"
            raise UsageError(f"--port {port} {taken}", hint="without --port a free one is chosen") from problem
        self.address = f"http://{HOST}:{self.server.server_port}/"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.1,), daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.history.end()
        with self.server.watched:
            self.server.watched.wait_for(lambda: not self.server.watching, timeout=LAST_S)
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, place: tuple[str, int], page: bytes, policy: str, history: History) -> None:
        self.page, self.policy, self.history = page, policy, history
        self.watched, self.watching = threading.Condition(), 0
        super().__init__(place, _Handler)
        self.names = {f"{name}:{self.server_port}" for name in (HOST, "localhost")}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle is no error of the stream's."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version, sys_version = "mmcli", ""
    timeout = 30  # seconds for a request to be complete

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are no talk for the terminal."""

    def do_GET(self) -> None:
        if self.headers.get("Host") not in self.server.names:
            self._plain(421, "this is not the name of this server")
        elif self.path == "/":
            self._head(200, "text/html; charset=utf-8", len(self.server.page))
            self.wfile.write(self.server.page)
        elif self.path == "/events":
            self._watched()
        else:
            self._plain(404, "nothing is here")

    def _head(self, code: int, kind: str, length: int | None) -> None:
        self.send_response(code)
        headers = {"Content-Type": kind, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        headers |= {"Content-Security-Policy": self.server.policy, "Referrer-Policy": "no-referrer"}
        headers |= {} if length is None else {"Content-Length": str(length)}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _plain(self, code: int, why: str) -> None:
        self._head(code, "text/plain; charset=utf-8", len(why) + 1)
        self.wfile.write(f"{why}\n".encode())

    def _watched(self) -> None:
        server = self.server
        with server.watched:
            room = server.watching < MOST
            server.watching += room
        if not room:
            self._plain(503, f"{MOST} browsers look at it already")
            return
        try:
            self._head(200, "text/event-stream", None)
            self._events()
        finally:
            with server.watched:
                server.watching -= 1
                server.watched.notify_all()

    def _events(self) -> None:
        """All rows so far, then what is new, then the end."""
        thinned, count = -1, 0
        while True:
            now, rows, ended = self.server.history.since(thinned, count, ALIVE_S)
            if now != thinned:
                thinned, count = now, 0
                self._event("all", rows)
            elif rows:
                self._event("more", rows)
            elif not ended:
                self.wfile.write(b": nothing new\n\n")
            count += len(rows)
            if ended:
                self._event("end", [])
                return

    def _event(self, name: str, rows: list[Any]) -> None:
        self.wfile.write(f"event: {name}\ndata: {json.dumps(rows, separators=(',', ':'))}\n\n".encode())
