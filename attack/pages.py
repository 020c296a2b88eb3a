"""What reaches the server of ``explore`` from pages, programs and other users of a machine."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import polars as pl

from attack.workers import Outcome
from tests.conftest import environment

MOST_THREADS = 64
MOST_BYTES = 1 << 30
USERS = 50
RANDOM = 2000
"""Requests of random bytes."""


@dataclass(frozen=True)
class Page:
    """A running server.

    Attributes:
        port: where it listens.
        path: that its page lies at, the token included.
        process: the server.
    """

    port: int
    path: str
    process: subprocess.Popen[str]

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> int:
        """The status that a request is answered with; 0 where the connection is closed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def held(self) -> tuple[int, int]:
        """Threads, and the most bytes of memory so far."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        told = dict(line.split(":", 1) for line in text.splitlines())
        return int(told["Threads"]), int(told["VmHWM"].split()[0]) << 10


def attack() -> Outcome:
    """Each attack on one server, which must answer its own page at the end."""
    outcome = Outcome()
    with tempfile.TemporaryDirectory() as place, _served(Path(place)) as page:
        before, _ = page.held()
        for number, attempt in enumerate(ATTACKS):
            wrong = attempt(page)
            threads, held = page.held()
            if threads > before + MOST_THREADS or held > MOST_BYTES:
                wrong += f" {threads} threads, {held >> 20} MB"
            outcome.tried += 1
            outcome.refused += not wrong
            outcome.most_bytes = max(outcome.most_bytes, held)
            if page.ask("GET", page.path) != 200:
                wrong += " afterwards the page is not answered"
            if wrong:
                outcome.findings[number] = f"{attempt.__name__}: {wrong}"
        page.process.terminate()
        said = page.process.communicate(timeout=30)[1]
        if "Traceback" in said or "internal" in said:
            outcome.findings[-1] = said[-500:]
    return outcome


def foreign_host(page: Page) -> str:
    """A page of another name that points to this machine."""
    return _expect(page.ask("GET", page.path, Host="evil.example"), 403)


def foreign_origin(page: Page) -> str:
    """A page from elsewhere that asks this server."""
    rows = f"{page.path}trajectories.csv"
    return _expect(page.ask("POST", rows, b"[1]", Origin="http://evil.example"), 403)


def no_token(page: Page) -> str:
    """Another user of the machine, who does not know the address."""
    return _expect(page.ask("GET", "/"), 403) + _expect(page.ask("GET", "/plotly.js"), 403)


def out_of_the_folder(page: Page) -> str:
    """A file that the page does not have."""
    found = page.ask("GET", f"{page.path}../../../../etc/passwd")
    return "" if found in (403, 404) else f"status {found}"


def same_user(page: Page) -> str:
    """One user 200,000 times, which made 6.6 GB once."""
    body = json.dumps([1] * 200_000).encode()
    found = page.ask("POST", f"{page.path}trajectories.csv", body)
    return "" if found in (200, 413) else f"status {found}"


def long_body(page: Page) -> str:
    """A body that is said to have a gigabyte."""
    headers = {"Content-Length": str(1 << 30)}
    return _expect(page.ask("POST", f"{page.path}trajectories.csv", b"[1]", **headers), 413)


def deep_body(page: Page) -> str:
    """JSON of a hundred thousand levels."""
    return _expect(page.ask("POST", f"{page.path}trajectories.csv", b"[" * 100_000), 400)


def half_open(page: Page) -> str:
    """450 connections that never ask."""
    with contextlib.ExitStack() as stack:
        for _ in range(450):
            with contextlib.suppress(OSError):
                stack.enter_context(socket.create_connection(("127.0.0.1", page.port), timeout=2))
        time.sleep(1)
        threads, _ = page.held()
    time.sleep(6)
    return "" if threads < 100 else f"{threads} threads"


def leaves_early(page: Page) -> str:
    """Readers who go away in the middle of an answer."""
    request = f"GET {page.path}plotly.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    for _ in range(30):
        with socket.create_connection(("127.0.0.1", page.port)) as stream:
            stream.sendall(request)
            stream.recv(100)
    return ""


def slow_writer(page: Page) -> str:
    """A request that comes a byte a second."""
    with socket.create_connection(("127.0.0.1", page.port), timeout=60) as stream:
        start = time.monotonic()
        with contextlib.suppress(OSError):
            for byte in b"GET / HTTP/1.1\r\n" * 4:
                stream.sendall(bytes([byte]))
                time.sleep(0.25)
        return "" if time.monotonic() - start < 60 else "never let go"


def random_bytes(page: Page) -> str:
    """Requests of random bytes, good ones with some of them changed."""
    draw = random.Random(1)
    good = f"POST {page.path}trajectories.csv HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    good += "Content-Length: 3\r\n\r\n[1]"
    for _ in range(RANDOM):
        data = bytearray(good.encode())
        for _ in range(draw.randint(1, 6)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        with contextlib.suppress(OSError):
            stream = socket.create_connection(("127.0.0.1", page.port), timeout=2)
            with stream:
                stream.sendall(bytes(data))
                stream.shutdown(socket.SHUT_WR)
                stream.recv(100)
    return ""


ATTACKS: tuple[Callable[[Page], str], ...] = (
    *(foreign_host, foreign_origin, no_token, out_of_the_folder, same_user, long_body),
    *(deep_body, half_open, leaves_early, slow_writer, random_bytes),
)


def _expect(found: int, status: int) -> str:
    return "" if found == status else f"status {found}, expected {status}"


@contextlib.contextmanager
def _served(folder: Path) -> Iterator[Page]:
    rows = [(user, day, 3, 1 + user, 2) for user in range(USERS) for day in range(60)]
    names = ["uid", "d", "t", "x", "y"]
    pl.DataFrame(rows, schema=names, orient="row").write_csv(folder / "city.csv")
    vectors = np.random.default_rng(1).normal(size=(USERS, 16)).astype(np.float32)
    table = pl.DataFrame({"uid": pl.Series(range(USERS), dtype=pl.UInt32), "embedding": vectors})
    table.write_parquet(folder / "users.parquet")
    command = [sys.executable, "-m", "humobctl", "explore", "users.parquet", "city.csv"]
    with subprocess.Popen(
        [*command, "--port", "0"],
        cwd=folder,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        address = urlsplit(process.stderr.readline().split()[0])
        try:
            yield Page(address.port or 0, address.path, process)
        finally:
            process.kill()
