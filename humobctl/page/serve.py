"""A small server of a page: few answers, by default to this machine only, and with a token."""

from __future__ import annotations

import ipaddress
import os
import secrets
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from humobctl.console import report, signals
from humobctl.errors import HumobError, UsageError, reason

_MOST_CONNECTIONS = 32
_SECONDS_TO_ASK, _SECONDS_TO_READ = 5, 300


class SiteAnswer(NamedTuple):
    """What is sent: its media type and its bytes."""

    kind: str
    body: bytes


@dataclass(frozen=True)
class SiteQuestion:
    """A question that a page may ask.

    Attributes:
        most: bytes that it may take.
        answer: makes the answer of its bytes; None for a question that makes no sense.
    """

    most: int
    answer: Callable[[bytes], SiteAnswer | None]


@dataclass(frozen=True)
class Site:
    """What a server has to say.

    Attributes:
        policy: the Content-Security-Policy of all answers.
        answers: by path; the page itself is at "".
        questions: by path.
    """

    policy: str
    answers: Mapping[str, SiteAnswer]
    questions: Mapping[str, SiteQuestion] = field(default_factory=dict)


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def serve(site: Site, host: str, port: int, *, browser: bool = False) -> None:
    """Serve a page until the process is interrupted.

    Args:
        site: what to serve.
        host: address to listen on; a warning goes with all but loopback.
        port: 0 for any that is free.
        browser: open the page in one.

    Raises:
        HumobError: the address cannot be had.
        UsageError: it is none.
    """
    if not is_loopback(host):
        report.warn(
            f"--host {host}: anyone there who has the address with its token sees the trajectories"
        )
    try:
        token = secrets.token_urlsafe(16)
        server = make_server(site, host, port, token)
    except OSError as exc:
        raise HumobError(
            f"--host {host} --port {port}: {reason(exc)}; choose another --port (0: any free)"
        ) from exc
    except OverflowError as exc:
        raise UsageError(f"--port: found {port}, expected 0 to 65535") from exc
    with server, signals.last_words(lambda: ""):  # Ctrl-C is how it ends
        signals.claim()
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{server.server_address[1]}/{token}/"
        report.info(f"{address}  (Ctrl-C ends)")
        if browser:
            webbrowser.open(address)
        server.serve_forever()


def make_server(site: Site, host: str, port: int, token: str) -> ThreadingHTTPServer:
    """The server, listening; all of it lies below ``/TOKEN/``, which other users do not know."""

    class Handler(BaseHTTPRequestHandler):
        server_version, sys_version = "humobctl", ""
        timeout = _SECONDS_TO_ASK

        def do_GET(self) -> None:
            path = self._allowed_path()
            if path is None:
                return
            if path in site.answers:
                self._answer(*site.answers[path])
            else:
                self.send_error(404)

        def do_POST(self) -> None:
            path = self._allowed_path()
            if path is None:
                return
            told = self.headers.get("Content-Length") or ""
            length = int(told) if told.isascii() and told.isdigit() and len(told) < 10 else 0
            question = site.questions.get(path)
            if question is None:
                self.send_error(404)
            elif not 0 < length <= question.most:
                self.send_error(413)
            elif (answer := question.answer(self.rfile.read(length))) is None:
                self.send_error(400)
            else:
                self._answer(*answer)

        def _allowed_path(self) -> str | None:
            """The path below the token; None of a request that was refused.

            A page from elsewhere could have its own name point to this machine, and read on, or ask
            by this machine's name from its own.
            """
            server.silent.pop(self.connection, None)
            name = self.headers.get("Host") or ""
            ours = not is_loopback(host) or is_loopback(name.rsplit(":", 1)[0].strip("[]"))
            origin = self.headers.get("Origin")
            _, given, *rest = f"{self.path}/".split("/", 2)
            known = secrets.compare_digest(given.encode(), token.encode())
            if not (ours and known) or origin not in (None, f"http://{name}"):
                self.send_error(403)
                return None
            return rest[0].removesuffix("/")

        def _answer(self, kind: str, body: bytes) -> None:
            self.connection.settimeout(_SECONDS_TO_READ)
            self.send_response(200)
            for name, value in (
                ("Content-Type", kind),
                ("Content-Length", str(len(body))),
                ("Content-Security-Policy", f"{site.policy}; frame-ancestors 'none'"),
                ("X-Content-Type-Options", "nosniff"),
                ("Referrer-Policy", "no-referrer"),
                ("Cache-Control", "no-store"),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            said = (format % args).replace(token, "…")
            report.detail(f"{self.address_string()} {said}")

    server = _Server((host, port), Handler)
    return server


class _Server(ThreadingHTTPServer):
    """As many threads as there are slots; who does not ask, or leaves early, is let go quietly.

    Where all slots are taken, the connection that has been silent for the longest makes room.
    """

    daemon_threads = True
    allow_reuse_address = os.name != "nt"

    def __init__(self, *args: Any) -> None:
        self._slots = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        self.silent: dict[socket.socket, None] = {}
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        """SiteAnswer in a thread, once a slot is free."""
        if not self._slots.acquire(blocking=False):
            with suppress(StopIteration, RuntimeError, KeyError, OSError):  # it asks just now
                oldest = next(iter(self.silent))
                del self.silent[oldest]
                oldest.shutdown(socket.SHUT_RDWR)
            if not self._slots.acquire(timeout=_SECONDS_TO_ASK):
                self.shutdown_request(request)
                return
        self.silent[request] = None
        try:
            super().process_request(request, client_address)
        except BaseException:
            self.silent.pop(request, None)
            self._slots.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """SiteAnswer, and free the slot."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.silent.pop(request, None)
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say what went wrong, to those who want to know: a reader who leaves is not a fault."""
        exc = sys.exception()
        if isinstance(exc, OSError):
            report.detail(f"{client_address[0]} left: {reason(exc)}")
        else:
            report.warn(f"the page server could not answer ({type(exc).__name__})")
