"""A small server of the page: three answers, by default to this machine only."""

from __future__ import annotations

import ipaddress
import json
import os
import webbrowser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from humobctl.console import report, signals
from humobctl.errors import HumobError, UsageError, reason
from humobctl.explore.data import World
from humobctl.explore.page import POLICY, page, plotly_script

_MOST_ASKED = 1 << 24


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def serve(world: World, host: str, port: int, *, browser: bool = False) -> None:
    """Serve the page until the process is interrupted.

    Args:
        world: what to show.
        host: address to listen on; a warning goes with all but loopback.
        port: 0 for any that is free.
        browser: open the page in one.

    Raises:
        HumobError: the address cannot be had.
        UsageError: it is none.
    """
    if not is_loopback(host):
        report.warn(
            f"--host {host}: everybody who reaches this machine there sees the trajectories"
        )
    try:
        server = make_server(world, host, port)
    except OSError as exc:
        raise HumobError(
            f"--host {host} --port {port}: {reason(exc)}; another --port, or 0 for any that is free"
        ) from exc
    except OverflowError as exc:
        raise UsageError(f"--port: found {port}, expected 0 to 65535") from exc
    with server:
        signals.claim()
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{server.server_address[1]}/"
        report.info(f"{address}  (Ctrl-C ends)")
        if browser:
            webbrowser.open(address)
        server.serve_forever()


def make_server(world: World, host: str, port: int) -> ThreadingHTTPServer:
    """The server, listening."""
    answers = {
        "/": ("text/html; charset=utf-8", page(world, served=True).encode()),
        "/plotly.js": ("text/javascript; charset=utf-8", plotly_script().encode()),
    }

    class Handler(BaseHTTPRequestHandler):
        server_version, sys_version = "humobctl", ""

        def do_GET(self) -> None:
            found = answers.get(self.path)
            if not self._expected():
                self.send_error(403)
            elif found is None:
                self.send_error(404)
            else:
                self._answer(*found)

        def do_POST(self) -> None:
            told = self.headers.get("Content-Length") or ""
            length = int(told) if told.isascii() and told.isdigit() else 0
            if not self._expected() or self.path != "/trajectories.csv":
                self.send_error(403 if self.path == "/trajectories.csv" else 404)
                return
            if not 0 < length <= _MOST_ASKED:
                self.send_error(413)
                return
            users = _users(self.rfile.read(length), len(world))
            if users is None:
                self.send_error(400)
                return
            self._answer("text/csv", world.table_of(users).write_csv().encode())

        def _expected(self) -> bool:
            """Whether the page was asked for by its own name.

            A page from elsewhere could have its own name point to this machine, and read on.
            """
            if not is_loopback(host):
                return True
            name = (self.headers.get("Host") or "").rsplit(":", 1)[0].strip("[]")
            return is_loopback(name)

        def _answer(self, kind: str, body: bytes) -> None:
            self.send_response(200)
            for name, value in (
                ("Content-Type", kind),
                ("Content-Length", str(len(body))),
                ("Content-Security-Policy", f"{POLICY}; frame-ancestors 'none'"),
                ("X-Content-Type-Options", "nosniff"),
                ("Referrer-Policy", "no-referrer"),
                ("Cache-Control", "no-store"),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            report.detail(f"{self.address_string()} {format % args}")

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        allow_reuse_address = os.name != "nt"

    return Server((host, port), Handler)


def _users(body: bytes, count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]] | None:
    """Numbers of users from a list in JSON; None for anything else."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, list) or not all(type(x) is int and 0 <= x < count for x in told):
        return None
    return np.array(told, np.int64)
