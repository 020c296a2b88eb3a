"""The server of the page: who is answered, and what; maps by UMAP."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
import pytest

pytest.importorskip("plotly")

from humobctl.embed.vectors import read_embeddings
from humobctl.errors import HumobError
from humobctl.explore.data import World, count_visits, load_world, radii
from humobctl.explore.serve import make_site
from humobctl.page import serve as serve_module
from humobctl.page.serve import is_loopback, make_server
from tests.conftest import environment
from tests.messages import raises, says

USERS = 20
TOKEN = "s3cret"  # noqa: S105


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """city.csv: 20 users of two rows each; embeddings.parquet of them, and of the first three."""
    place = tmp_path_factory.mktemp("served")
    rows = [(user, day, 3, 1 + user, 2) for user in range(USERS) for day in (0, 1)]
    pl.DataFrame(rows, schema=["uid", "d", "t", "x", "y"], orient="row").write_csv(
        place / "city.csv"
    )
    vectors = np.random.default_rng(3).normal(size=(USERS, 16)).astype(np.float32)
    uid = pl.Series(range(USERS), dtype=pl.UInt32)
    table = pl.DataFrame({"uid": uid, "embedding": vectors})
    table.write_parquet(place / "embeddings.parquet")
    table[:3].write_parquet(place / "three.parquet")
    return place


def world(folder: Path, name: str = "embeddings.parquet", *, umap: bool = False) -> World:
    found = read_embeddings(str(folder / name))
    return load_world(found, [str(folder / "city.csv")], ["city"], umap=umap)


@pytest.fixture(scope="module")
def port(folder: Path) -> Iterator[int]:
    """A server on loopback."""
    server = make_server(make_site(world(folder)), "127.0.0.1", 0, TOKEN)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


def ask(
    port: int,
    method: str,
    path: str,
    host: str,
    body: bytes | None = None,
    *,
    origin: str | None = None,
    token: str = TOKEN,
    length: int | None = None,
) -> tuple[int, bytes, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest(method, f"/{token}{path}" if token else path, skip_host=True)
    connection.putheader("Host", host)
    if origin is not None:
        connection.putheader("Origin", origin)
    if body is not None:
        connection.putheader("Content-Length", str(length or len(body)))
    connection.endheaders(body)
    answer = connection.getresponse()
    found = answer.status, answer.read(), dict(answer.getheaders())
    connection.close()
    return found


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8050", "[::1]:8050"])
def test_this_machine_is_answered(port: int, host: str) -> None:
    status, page, headers = ask(port, "GET", "/", host)
    assert status == 200
    assert page.startswith(b"<!")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    status, rows, _ = ask(port, "POST", "/trajectories.csv", host, b"[3]")
    assert (status, rows) == (200, b"uid,d,t,x,y\n3,0,3,4,2\n3,1,3,4,2\n")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
@pytest.mark.parametrize("path", ["/", "/plotly.js", "/trajectories.csv"])
def test_a_foreign_name_is_refused(port: int, host: str, path: str) -> None:
    method, body = ("POST", b"[3]") if path.endswith(".csv") else ("GET", None)
    status, said, _ = ask(port, method, path, host, body)
    assert status == 403
    assert b"uid" not in said


@pytest.mark.parametrize("token", ["", "guess", TOKEN[:-1], TOKEN.upper()])
@pytest.mark.parametrize("path", ["/", "/plotly.js", "/trajectories.csv"])
def test_who_does_not_know_the_token_is_refused(port: int, token: str, path: str) -> None:
    method, body = ("POST", b"[3]") if path.endswith(".csv") else ("GET", None)
    status, said, _ = ask(port, method, path, "localhost", body, token=token)
    assert status == 403
    assert b"uid" not in said


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://localhost", 200), ("http://localhost:1", 403), ("https://evil.example", 403)],
)
def test_a_foreign_origin_is_refused(port: int, origin: str, status: int) -> None:
    path = "/trajectories.csv"
    assert ask(port, "POST", path, "localhost", b"[3]", origin=origin)[0] == status
    assert ask(port, "POST", path, "localhost", b"[3]", origin="null")[0] == 403


def test_a_user_who_is_asked_for_many_times_comes_once(port: int) -> None:
    asked = b"[" + b",".join([b"3"] * 200_000) + b"]"
    status, rows, _ = ask(port, "POST", "/trajectories.csv", "localhost", asked)
    assert (status, rows) == (200, b"uid,d,t,x,y\n3,0,3,4,2\n3,1,3,4,2\n")
    too_long = ask(port, "POST", "/trajectories.csv", "localhost", b" ", length=1 << 21)
    assert too_long[0] == 413


def test_half_open_connections_are_bounded(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(serve_module, "_MOST_CONNECTIONS", 3)
    monkeypatch.setattr(serve_module, "_SECONDS_TO_ASK", 0.2)
    server = make_server(make_site(world(folder)), "127.0.0.1", 0, TOKEN)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    before = threading.active_count()
    thread.start()
    port = server.server_address[1]
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(12)]
    try:
        assert ask(port, "GET", "/", "localhost")[0] == 200
        assert threading.active_count() <= before + 1 + 3
        # One who asks and does not wait for the answer.
        idle[0].close()
        with socket.create_connection(("127.0.0.1", port)) as early:
            early.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            early.sendall(f"GET /{TOKEN}/plotly.js HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        assert ask(port, "GET", "/", "localhost")[0] == 200
    finally:
        for one in idle:
            one.close()
        server.shutdown()
        server.server_close()
        thread.join()
        for _ in range(200):  # until the last of them was given up
            if threading.active_count() <= before:
                break
            time.sleep(0.02)
    assert capfd.readouterr().err == ""


def test_users_of_two_cities_are_told_apart(tmp_path: Path) -> None:
    for city, x in (("a", 5), ("b", 9)):
        (tmp_path / f"{city}.csv").write_text(f"uid,d,t,x,y\n1,0,0,{x},1\n2,0,0,{x},2\n")
    table = {"city": ["a", "a", "b", "b"], "uid": pl.Series([1, 2, 1, 2], dtype=pl.UInt32)}
    vectors = np.eye(4, 16, dtype=np.float32)
    pl.DataFrame({**table, "embedding": vectors}).write_parquet(tmp_path / "e.parquet")
    found = read_embeddings(str(tmp_path / "e.parquet"))
    both = load_world(found, [str(tmp_path / f"{c}.csv") for c in "ab"], ["a", "b"])
    rows = both.table_of(np.array([0, 2]))
    assert rows.columns == ["city", "uid", "d", "t", "x", "y"]
    assert rows.rows() == [("a", 1, 0, 0, 5, 1), ("b", 1, 0, 0, 9, 1)]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/trajectories.csv", b"", 413),
        ("/trajectories.csv", b"nonsense", 400),
        ("/trajectories.csv", b"[20]", 400),
        ("/trajectories.csv", b"[-1]", 400),
        ("/trajectories.csv", b"[true]", 400),
        ("/trajectories.csv", b"[" * 100_000, 400),
        ("/../../etc/passwd", b"[1]", 404),
    ],
)
def test_what_is_not_asked_well_is_refused(port: int, path: str, body: bytes, status: int) -> None:
    assert ask(port, "POST", path, "localhost", body)[0] == status
    assert ask(port, "GET", "/etc/passwd", "localhost")[0] == 404


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        *(("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True)),
        *(("0.0.0.0", False), ("::", False), ("10.0.0.1", False)),  # noqa: S104
        ("localhost.example", False),
    ],
)
def test_which_addresses_are_this_machine(host: str, ours: bool) -> None:
    assert is_loopback(host) is ours


def test_another_address_is_warned_of(folder: Path) -> None:
    command = ("embeddings.parquet", "city.csv", "--host", "0.0.0.0", "--port", "0")  # noqa: S104
    server = subprocess.Popen(
        [sys.executable, "-m", "humobctl", "explore", *command],
        cwd=folder,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stderr is not None
    warned, address = server.stderr.readline(), server.stderr.readline()
    server.send_signal(signal.SIGINT)
    server.wait(20)
    server.stderr.close()
    says(warned, "warning:", "--host 0.0.0.0")
    assert re.match(r"http://0\.0\.0\.0:\d+/[\w-]{20,}/", address)


def test_too_few_users_for_umap(folder: Path) -> None:
    if find_spec("umap") is None:
        with raises(HumobError, "umap-learn", "'umap'"):
            world(folder, umap=True)
        return
    with raises(HumobError, "--umap", 3, 4):
        world(folder, "three.parquet", umap=True)


def test_a_map_by_umap(folder: Path) -> None:
    pytest.importorskip("umap", reason="needs humobctl[umap], which is not installed")
    found = world(folder, umap=True)
    assert list(found.maps) == ["PCA", "UMAP"]
    assert found.maps["UMAP"].shape == (USERS, 2)
    assert np.isfinite(found.maps["UMAP"]).all()
    assert json.dumps(found.maps["UMAP"].tolist()) == json.dumps(
        world(folder, umap=True).maps["UMAP"].tolist()
    )


@pytest.mark.parametrize("users", [3, 150_000])
def test_visits_are_the_rows_of_a_user_in_a_cell(users: int) -> None:
    """Of 107,374 users on, user and cell do not fit into 32 bits together."""
    cell = np.array([39_999, 0, 39_999, 7], np.uint16)
    visits = count_visits(np.array([0, 0, 0, users - 1]), cell, users)
    assert visits.cell.tolist() == [0, 39_999, 7]
    assert visits.times.tolist() == [1, 2, 1]
    assert visits.starts.tolist() == [0] + [2] * (users - 1) + [3]
    assert count_visits(np.zeros(0, np.int64), cell[:0], 2).starts.tolist() == [0, 0, 0]


def test_radii_are_root_mean_square_distances() -> None:
    """Two rows in a cell and one 1.5 km from it: 0.5, 0.5 and 1 km from their middle."""
    cell = np.array([0, 0, 3, 9_999], np.uint16)
    visits = count_visits(np.array([0, 0, 0, 1]), cell, 3)
    assert radii(visits) == pytest.approx([1.5 * np.sqrt(2) / 3, 0, 0])
