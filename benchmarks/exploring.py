"""The page of ``explore`` in headless Chromium: until it is there, drawn, drawn anew, and moved."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from benchmarks.harness import WORK, markdown

GROUPS, ROWS = 12, 60


def table() -> str:
    """Random vectors in twelve groups, 60 rows a user, and 10,000 users with their 75 days."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - for this table alone

    from tests.pages import CHROMIUM, FLAGS  # noqa: PLC0415

    cases = [_random(10_000), _random(100_000), _city(10_000)]
    lines = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        lines = [_timed(browser, *case) for case in cases]
        browser.close()
    columns = ("users", "rows", "to the address s", "page drawn s", "lasso s")
    return markdown((*columns, "zoom, ms a frame (worst)", "pan, ms a frame (worst)"), lines)


def _vectors(uid: np.ndarray, name: str) -> str:
    random = np.random.default_rng(0)
    middles = random.normal(size=(GROUPS, 512))
    vectors = middles[random.integers(0, GROUPS, len(uid))] + random.normal(size=(len(uid), 512))
    table = {"uid": uid.astype(np.uint32), "embedding": vectors.astype(np.float32)}
    pl.DataFrame(table).write_parquet(WORK / name)
    return name


def _random(users: int) -> tuple[str, str, int]:
    random = np.random.default_rng(1)
    row = np.tile(np.arange(ROWS), users)
    columns = {"uid": np.repeat(np.arange(users), ROWS), "d": row // 4, "t": row % 4 * 12}
    columns |= {axis: random.integers(1, 201, len(row)) for axis in "xy"}
    pl.DataFrame(columns).write_parquet(WORK / f"explore-{users}.parquet")
    return (
        _vectors(np.arange(users), f"explore-vectors-{users}.parquet"),
        (f"explore-{users}.parquet"),
        users,
    )


def _city(users: int) -> tuple[str, str, int]:
    name = f"explore-city-{users}.parquet"
    if not (WORK / name).is_file():
        command = [sys.executable, "-m", "humobctl", "data", "synth", "--users", str(users)]
        subprocess.run([*command, "-o", WORK / name], check=True)
    uid = pl.read_parquet(WORK / name, columns=["uid"])["uid"].unique().sort().to_numpy()
    return _vectors(uid, f"explore-city-vectors-{users}.parquet"), name, users


def _timed(browser: object, vectors: str, rows: str, users: int) -> list[str]:
    from tests.explore.test_browser import Page  # noqa: PLC0415

    count = pl.scan_parquet(WORK / rows).select(pl.len()).collect().item()
    begin = time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, "-m", "humobctl", "explore", vectors, rows, "--port", "0"],
        cwd=WORK,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stderr is not None
    url = server.stderr.readline().split()[0]
    taken = [time.perf_counter() - begin]
    begin = time.perf_counter()
    page = Page(browser, url)
    taken.append(time.perf_counter() - begin)
    begin = time.perf_counter()
    page.after(lambda: page.lasso(0.1, 0.4))
    taken.append(time.perf_counter() - begin)
    frames = [_frames(page, act) for act in (_zoom, _pan)]
    page.page.close()
    server.terminate()
    server.wait()
    server.stderr.close()
    return [f"{users:,}", f"{count:,}", *(f"{seconds:.1f}" for seconds in taken), *frames]


_WATCH = """() => {
  window.frames_ms = []; let last = performance.now();
  const next = (now) => {
    frames_ms.push(now - last); last = now; window.watching = requestAnimationFrame(next);
  };
  cancelAnimationFrame(window.watching); window.watching = requestAnimationFrame(next);
}"""


def _frames(page: Any, act: Callable[[Any], None]) -> str:
    """Median and longest time between two frames while the map moves, in ms."""
    page.page.evaluate(_WATCH)
    act(page.page)
    taken = sorted(page.page.evaluate("frames_ms"))
    return f"{taken[len(taken) // 2]:.0f} ({taken[-1]:.0f})"


def _zoom(page: Any) -> None:
    page.mouse.move(*_middle(page))
    for step in range(60):
        page.mouse.wheel(0, -40 if step < 30 else 40)
        page.wait_for_timeout(16)


def _pan(page: Any) -> None:
    page.click('#points [data-title="Pan"]')
    x, y = _middle(page)
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(60):
        page.mouse.move(x + 3 * step, y + step)
        page.wait_for_timeout(16)
    page.mouse.up()


def _middle(page: Any) -> tuple[float, float]:
    area = page.locator("#points .nsewdrag").bounding_box()
    return area["x"] + area["width"] / 2, area["y"] + area["height"] / 2
