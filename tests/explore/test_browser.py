"""The page in a real browser: one load for many checks, since Chromium takes seconds to start."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.conftest import environment
from tests.pages import LoadedPage, launched, needs_chromium

CITY = "<img src=x onerror=document.title='hacked'>"
"""A name of a city that would run as a script where it is not escaped."""

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as started:
        yield started


@pytest.fixture(scope="module")
def folder(example_files, tmp_path_factory) -> Path:
    """city.csv of 20 users, and embeddings.parquet of them in a city of an evil name."""
    place = tmp_path_factory.mktemp("explore")
    shutil.copy(example_files / "city.csv", place / "city.csv")
    uid = pl.read_csv(place / "city.csv")["uid"].unique().sort().cast(pl.UInt32)
    vectors = np.random.default_rng(3).normal(size=(len(uid), 512)).astype(np.float32)
    table = pl.DataFrame({"uid": uid, "embedding": vectors, "city": [CITY] * len(uid)})
    table.write_parquet(place / "embeddings.parquet")
    return place


@pytest.fixture(scope="module")
def address(folder) -> Iterator[str]:
    """A served page; Ctrl-C ends it."""
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "humobctl", "explore", "embeddings.parquet", "city.csv"),
            *("--port", "0", "--city", CITY),
        ],
        cwd=folder,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stderr is not None
    line = server.stderr.readline()
    found = re.match(r"http://127\.0\.0\.1:\d+/[\w-]{20,}/", line)
    assert found, line
    yield found[0]
    server.send_signal(signal.SIGINT)
    assert server.wait(timeout=20) == 130
    server.stderr.close()


class Page(LoadedPage):
    """A page of ``explore``."""

    def lasso(self, left: float, right: float) -> None:
        """Draw a lasso over a part of the map's width."""
        box = self.page.locator("#points .nsewdrag").bounding_box()
        xs, ys = (box["x"], box["width"]), (box["y"], box["height"])
        corners = [(left, 0.01), (right, 0.01), (right, 0.99), (left, 0.99), (left, 0.02)]
        at = [(xs[0] + a * xs[1], ys[0] + b * ys[1]) for a, b in corners]
        self.page.mouse.move(*at[0])
        self.page.mouse.down()
        for corner in at[1:]:
            self.page.mouse.move(*corner, steps=4)
        self.page.mouse.up()

    def box(self, left: float, right: float) -> None:
        """Drag the box tool over a part of the map's width."""
        self.page.click('#points [data-title="Box Select"]')
        area = self.page.locator("#points .nsewdrag").bounding_box()
        corners = ((left, 0.01), (right, 0.5), (right, 0.99))
        at = [(area["x"] + a * area["width"], area["y"] + b * area["height"]) for a, b in corners]
        self.page.mouse.move(*at[0])
        self.page.mouse.down()
        for corner in at[1:]:
            self.page.mouse.move(*corner, steps=4)
        self.page.mouse.up()

    def click(self, user: int) -> None:
        """Click on the point of a user, by its place in the table."""
        x, y = self.page.evaluate("u => map.at(u)", user)
        place = self.page.locator("#points").bounding_box()
        self.page.mouse.move(place["x"] + x, place["y"] + y)
        self.page.mouse.down()
        self.page.mouse.up()

    def drag(self, right: float, down: float) -> None:
        """Drag the map by some pixels."""
        area = self.page.locator("#points .nsewdrag").bounding_box()
        x, y = area["x"] + area["width"] / 2, area["y"] + area["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + right, y + down, steps=10)
        self.page.mouse.up()

    def frames(self) -> int:
        """How often the points were painted."""
        return int(self.page.evaluate("document.getElementById('canvas').dataset.frames"))

    def across(self, left: float, right: float) -> list[int]:
        """Ids of the users between two parts of the map's width, by where they are painted."""
        area = self.page.locator("#points .nsewdrag").bounding_box()
        begin = self.page.locator("#points").bounding_box()["x"]
        places = self.page.evaluate("Array.from(world.uid, (uid, u) => [uid, map.at(u)[0]])")
        low, high = (area["x"] + part * area["width"] - begin for part in (left, right))
        return sorted(uid for uid, x in places if low <= x <= high)

    def selected(self) -> list[int]:
        """Ids in the table of the selection."""
        cells = self.page.locator("#table tbody tr td:first-child").all_inner_texts()
        return [int(text) for text in cells]

    def heat(self) -> np.ndarray:
        """Rows by cell that the heat map shows, (y, x)."""
        return np.array(self.page.evaluate("document.getElementById('heat').data[0].customdata"))


def counted(rows: pl.DataFrame) -> np.ndarray:
    """Rows by cell, (y, x), straight from the file."""
    counts = np.zeros((200, 200), int)
    np.add.at(counts, (rows["y"].to_numpy() - 1, rows["x"].to_numpy() - 1), 1)
    return counts


def check(seen: Page, city: pl.DataFrame) -> None:
    """Everything that a served page and an exported one have in common."""
    page = seen.page
    assert page.locator("#count-a").inner_text() == "0"
    assert not seen.heat().any()
    seen.after(lambda: seen.lasso(0.01, 0.6))
    first = seen.selected()
    assert 0 < len(first) < 20
    assert first == seen.across(0.01, 0.6)
    mine = city.filter(pl.col("uid").is_in(first))
    np.testing.assert_array_equal(seen.heat(), counted(mine))
    hours = page.evaluate("document.getElementById('hours').data[0].customdata")
    assert hours == np.bincount(mine["t"].to_numpy() // 2, minlength=24).tolist()
    saved = pl.read_csv(seen.download("#rows"))
    assert saved.sort("uid", "d", "t").equals(mine.sort("uid", "d", "t"))
    # A second selection by keyboard and id, and the two compared.
    seen.after(lambda: page.check("#pick-b"))
    seen.after(
        lambda: (page.keyboard.press("/"), page.keyboard.type("7"), page.keyboard.press("Enter"))
    )
    assert seen.selected() == [7]
    theirs = city.filter(uid=7)
    np.testing.assert_array_equal(seen.heat(), counted(theirs))
    seen.after(lambda: page.select_option("#show", "difference"))
    shares = counted(mine) / mine.height - counted(theirs) / theirs.height
    np.testing.assert_allclose(seen.heat(), shares, atol=1e-12)
    seen.after(lambda: page.keyboard.press("Escape"))
    assert page.locator("#count-b").inner_text() == "0"
    # Nothing was taken for markup, and nothing went wrong.
    assert page.evaluate("document.title").startswith("humobctl explore")
    assert page.locator("main img").count() == 0
    assert seen.complaints == []


def test_a_served_page(browser, folder, address) -> None:
    seen = Page(browser, address)
    page = seen.page
    seen.after(lambda: seen.click(4))
    assert seen.selected() == [4]
    seen.after(lambda: page.keyboard.press("Escape"))
    check(seen, pl.read_csv(folder / "city.csv"))
    assert all(url.startswith((address, "data:", "blob:")) for url in seen.asked)
    page.check("#pick-a")
    assert seen.download("#picture").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    for colour in ("city", "entropy", "radius", "cluster"):
        page.select_option("#colour", colour)
    seen.after(lambda: page.select_option("#group", "cluster:0"))
    assert seen.selected()
    seen.after(lambda: page.keyboard.press("Escape"))
    seen.after(lambda: page.select_option("#show", "one"))
    seen.after(lambda: seen.box(0.01, 0.6))
    within = seen.selected()
    assert 0 < len(within) < 20
    np.testing.assert_array_equal(
        seen.heat(),
        counted(pl.read_csv(folder / "city.csv").filter(pl.col("uid").is_in(within))),
    )
    assert within == seen.across(0.01, 0.6)
    # A click in an area that was drawn is a click on a user; one on nothing changes nothing.
    one = page.evaluate("uid => world.uid.indexOf(uid)", within[0])
    seen.after(lambda: seen.click(one))
    assert seen.selected() == within[:1]
    area = page.locator("#points .nsewdrag").bounding_box()
    times = page.evaluate("Number(document.body.dataset.drawn)")
    page.mouse.click(area["x"] + 1, area["y"] + 1)
    seen.after(lambda: page.select_option("#show", "difference"))
    assert page.evaluate("Number(document.body.dataset.drawn)") == times + 1
    assert seen.selected() == within[:1]
    seen.after(lambda: page.mouse.dblclick(area["x"] + 1, area["y"] + 1))
    assert seen.selected() == []
    # The points go with the axes.
    page.click('#points [data-title="Pan"]')
    before, frames = page.evaluate("map.at(0)"), seen.frames()
    seen.drag(30, 20)
    seen.until(f"Number(document.getElementById('canvas').dataset.frames) > {frames}")
    assert page.evaluate("map.at(0)") == pytest.approx([before[0] + 30, before[1] + 20], abs=0.5)
    seen.after(lambda: seen.click(3))
    assert seen.selected() == [page.evaluate("world.uid[3]")]
    # On a phone, nothing is wider than the screen.
    page.set_viewport_size({"width": 390, "height": 844})
    seen.until("document.documentElement.scrollWidth <= 390")
    assert seen.complaints == []


def test_an_exported_page(browser, folder, cli) -> None:
    done = cli(
        *("explore", "embeddings.parquet", "city.csv", "--city", CITY, "--export", "page.html"),
        cwd=folder,
    )
    assert done.code == 0, done.err
    url = (folder / "page.html").as_uri()
    seen = Page(browser, url)
    check(seen, pl.read_csv(folder / "city.csv"))
    assert all(one.startswith((url, "data:", "blob:")) for one in seen.asked)
    assert (folder / "page.html").stat().st_size < 12_000_000


def test_each_city_has_a_grid_of_its_own(browser, cli, folder, tmp_path) -> None:
    rows = pl.read_csv(folder / "city.csv").filter(pl.col("uid") < 6)
    parts = []
    for name, users in (
        ("here", rows),
        ("there", rows.filter((pl.col("uid") < 4) & (pl.col("d") == 0))),
    ):
        users.write_csv(tmp_path / f"{name}.csv")
        uid = users["uid"].unique().sort().cast(pl.UInt32)
        vectors = np.random.default_rng(len(uid)).normal(size=(len(uid), 512)).astype(np.float32)
        parts.append(pl.DataFrame({"uid": uid, "embedding": vectors, "city": [name] * len(uid)}))
    pl.concat(parts).write_parquet(tmp_path / "users.parquet")
    files = ("users.parquet", "here.csv", "there.csv")
    done = cli("explore", *files, "--export", "page.html", cwd=tmp_path)
    assert done.code == 0, done.err
    seen = Page(browser, (tmp_path / "page.html").as_uri())
    seen.after(lambda: seen.lasso(0.001, 0.999))
    assert len(seen.selected()) == sum(len(one) for one in parts)
    np.testing.assert_array_equal(seen.heat(), counted(rows))
    assert f"{len(parts[1])} of these users are in other cities" in said(seen)
    seen.after(lambda: seen.page.select_option("#city", label="there"))
    np.testing.assert_array_equal(
        seen.heat(), counted(rows.filter((pl.col("uid") < 4) & (pl.col("d") == 0)))
    )
    # Users of the other city alone: their grid is shown.
    seen.after(lambda: seen.page.select_option("#group", label="here"))
    np.testing.assert_array_equal(seen.heat(), counted(rows))
    assert "other cities" not in said(seen)
    assert seen.complaints == []


def said(seen: Page) -> str:
    """What the page says of the selection."""
    return str(seen.page.locator("#said").inner_text())
