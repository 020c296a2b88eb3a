"""The page of ``view`` in headless Chromium: its size, until it is drawn, and while it moves."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import numpy as np
import polars as pl

from benchmarks.harness import WORK, markdown

USERS = 2000
_FRAMES = """async (act) => {
  const next = () => new Promise((done) => requestAnimationFrame(() => {
    const after = new MessageChannel(); after.port1.onmessage = done; after.port2.postMessage(0);
  }));
  const taken = [], [slider, shown] = ["slider", "window"].map((id) => document.getElementById(id));
  const set = (box, value, name) => { box.value = value; box.dispatchEvent(new Event(name)); };
  if (act === "step") set(shown, 1440, "change");
  await next();
  // 25 moves, and the frames in which the whole picture is painted once the map rests.
  for (let i = 0; i < (act === "step" ? 25 : 50); i++) {
    const begin = performance.now();
    if (act === "step") set(slider, Number(slider.min) + i * 1440, "input");
    else if (i < 25 && act === "pan") map.pan(6, 3);
    else if (i < 25) map.zoom(i % 2 ? 1.1 : 1 / 1.1);
    await next();
    taken.push(performance.now() - begin);
  }
  if (act === "step") set(shown, 0, "change");
  return taken.sort((a, b) => a - b);
}"""


def table() -> str:
    """100,000 visits and a million points of 2,000 users."""
    from tests.pages import launched  # noqa: PLC0415 - for this table alone

    cases = {"100,000 visits": _visits(100_000), "1,000,000 points": _points(1_000_000)}
    with launched() as browser:
        lines = [[name, *_timed(browser, file)] for name, file in cases.items()]
    columns = ("table", "command s", "page MB", "opened and drawn s")
    acts = ("pan, ms a frame (worst)", "zoom, ms a frame (worst)", "a day on, ms (worst)")
    return markdown((*columns, *acts), lines)


def _around(random: np.random.Generator, user: np.ndarray[Any, Any]) -> dict[str, Any]:
    homes = random.normal(0, 0.15, (USERS, 2))
    spread = random.normal(0, 0.02, (2, len(user)))
    return {"lat": 39.9 + homes[user, 0] + spread[0], "lon": 116.4 + homes[user, 1] + spread[1]}


def _points(count: int) -> str:
    random = np.random.default_rng(0)
    user = np.sort(random.integers(0, USERS, count))
    minutes = random.integers(0, 28 * 1440, count).astype("timedelta64[m]")
    moment = (np.datetime64("2024-05-06T00:00") + minutes).astype("datetime64[us]")
    columns = {"uid": user, "datetime": moment, **_around(random, user)}
    pl.DataFrame(columns).write_parquet(WORK / "view-points.parquet")
    return "view-points.parquet"


def _visits(count: int) -> str:
    random = np.random.default_rng(0)
    each = count // USERS
    user = np.repeat(np.arange(USERS), each)
    at = np.tile(np.arange(each), USERS)
    intents = ["go to sleep", "go to work", "eat", "do shopping", "go home"]
    columns = {
        "uid": user,
        "d": at // 5,
        "seq": at % 5,
        "intent": [intents[one] for one in (at % 5).tolist()],
        "start_min": at % 5 * 288,
        "end_min": at % 5 * 288 + 280,
        "place_id": [f"place-{one}" for one in random.integers(0, 60_000, count)],
        **_around(random, user),
    }
    pl.DataFrame(columns).write_parquet(WORK / "view-visits.parquet")
    return "view-visits.parquet"


def _timed(browser: Any, file: str) -> list[str]:
    from tests.pages import LoadedPage  # noqa: PLC0415

    begin = time.perf_counter()
    line = [sys.executable, "-m", "humobctl", "--quiet", "view", file, "--export", "view.html"]
    subprocess.run(line, cwd=WORK, check=True)
    taken = time.perf_counter() - begin
    page = WORK / "view.html"
    begin = time.perf_counter()
    seen = LoadedPage(browser, page.as_uri())
    opened = time.perf_counter() - begin
    frames = [seen.page.evaluate(_FRAMES, act) for act in ("pan", "zoom", "step")]
    seen.page.close()
    size = page.stat().st_size / 1e6
    told = [f"{one[len(one) // 2]:.0f} ({one[-1]:.0f})" for one in frames]
    return [f"{taken:.1f}", f"{size:.1f}", f"{opened:.1f}", *told]
