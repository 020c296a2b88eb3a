"""Pages of ``view`` in a real browser: one start of Chromium for all."""

from __future__ import annotations

import io
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import polars as pl
import pytest
from PIL import Image

from tests.conftest import environment
from tests.pages import LoadedPage, launched, needs_chromium
from tests.plots.svg import texts

EVIL = "<img src=x onerror=document.title='hacked'>"
"""A text that would run as a script where it is not escaped."""
PINK = (240, 130, 200)

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as started:
        yield started


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """visits.csv: three users on three days: at home until 9, at work until 17, home again."""
    place = tmp_path_factory.mktemp("view")
    rows = []
    for user in range(3):
        for day in range(3):
            parts = (
                ("go home", 0, 540, 0.0),
                ("go to work", 540, 1020, 0.05),
                (None, 1020, 1440, 0.0),
            )
            for seq, (intent, start, end, east) in enumerate(parts):
                where = (39.9 + 0.02 * user, 116.3 + east)
                rows.append((user, day, seq, intent, start, end, EVIL, *where))
    names = ["uid", "d", "seq", "intent", "start_min", "end_min", "place_id", "lat", "lon"]
    pl.DataFrame(rows, schema=names, orient="row").write_csv(place / "visits.csv")
    return place


class ViewPage(LoadedPage):
    """A page of ``view``."""

    def counts(self) -> tuple[int, int]:
        """Rows and users that it says are drawn."""
        found = self.page.evaluate("[view.counts.drawn, view.counts.users]")
        return found[0], found[1]

    def picture(self) -> bytes:
        """The map as it looks."""
        return bytes(self.page.locator("#stage").screenshot())

    def lasso(self, *corners: tuple[float, float]) -> None:
        """Draw around parts of the stage's width and height."""
        box = self.page.locator("#over").bounding_box()
        at = [(box["x"] + a * box["width"], box["y"] + b * box["height"]) for a, b in corners]
        self.page.mouse.move(*at[0])
        self.page.mouse.down()
        for corner in (*at[1:], at[0]):
            self.page.mouse.move(*corner, steps=4)
        self.page.mouse.up()


def exported(cli: Any, folder: Path, *arguments: str) -> Path:
    done = cli("view", *arguments, "--export", "page.html", cwd=folder)
    assert done.code == 0, done.err
    return folder / "page.html"


def colours_in(picture: bytes) -> int:
    found = Image.open(io.BytesIO(picture)).convert("RGB").getcolors(1 << 20)
    assert found is not None
    return len(found)


def test_visits_are_filtered_selected_and_told(browser, folder, cli) -> None:
    url = exported(cli, folder, "visits.csv").as_uri()
    seen = ViewPage(browser, url)
    page = seen.page
    # A few users are selected from the start, so that their days are shown; Escape lets all go.
    assert seen.counts() == (27, 3)
    assert page.evaluate("view.drawnStrips") == 9
    seen.after(lambda: page.keyboard.press("Escape"))
    first = seen.picture()
    assert colours_in(first) > 20
    # The slider draws a window of time, and other records at another.
    seen.after(lambda: page.select_option("#window", "60"))
    assert seen.counts() == (3, 3)
    morning = seen.picture()
    seen.after(
        lambda: page.evaluate(
            "const s = $('slider'); s.value = 600; s.dispatchEvent(new Event('input'))"
        )
    )
    assert page.locator("#now").inner_text() == "day 0 (Sun) 10:00–11:00"
    assert seen.picture() != morning
    seen.after(lambda: page.select_option("#window", "0"))
    # Hours and weekdays: the visits of Sunday (day 0) that touch 16:00 to 17:00.
    seen.after(lambda: page.click("#hours button:nth-child(17)"))
    assert seen.counts() == (9, 3)
    seen.after(lambda: page.click("#weekdays button:nth-child(7)"))
    assert seen.counts() == (3, 3)
    seen.after(lambda: page.click("#all-hours"))
    seen.after(lambda: page.click("#weekdays button:nth-child(7)"))
    # A lasso around the lower half of the map selects the users whose records are there.
    page.click("#lasso")
    seen.after(lambda: seen.lasso((0.01, 0.6), (0.99, 0.6), (0.99, 0.99), (0.01, 0.99)))
    assert page.locator("#users li").all_inner_texts() == ["0"]
    assert seen.counts() == (9, 1)
    # By id and keyboard, instead of those of the lasso; several at once.
    page.keyboard.press("l")
    page.keyboard.press("/")
    page.keyboard.type("1, 2")
    seen.after(lambda: page.keyboard.press("Enter"))
    assert seen.counts() == (18, 2)
    assert page.locator("#users li").all_inner_texts() == ["1", "2"]
    assert seen.barriers() == []
    # Hovering tells the record; texts stay texts.
    x, y = page.evaluate("map.at(view.D.x[9], view.D.y[9])")
    box = page.locator("#over").bounding_box()
    page.mouse.move(box["x"] + x, box["y"] + y)
    told = page.locator("#tip").inner_text()
    assert "user 1" in told
    assert EVIL in told
    assert page.evaluate("document.title").startswith("humobctl view")
    assert page.locator("main img").count() == 0
    # On a phone, nothing is wider than the screen; in the dark, it is drawn anew.
    light = seen.picture()
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 375, "height": 812})
    seen.until("document.documentElement.scrollWidth <= 375")
    assert seen.picture() != light
    assert seen.barriers() == []
    assert seen.complaints == []
    assert all(one.startswith((url, "data:", "blob:")) for one in seen.asked)


def test_a_served_page(browser, folder) -> None:
    arguments = ("view", "visits.csv", "--port", "0")
    server = subprocess.Popen(
        [sys.executable, "-m", "humobctl", *arguments],
        cwd=folder,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stderr is not None
    address = re.search(r"http://127\.0\.0\.1:\d+/[\w-]{20,}/", server.stderr.readline())
    assert address
    seen = ViewPage(browser, address[0])
    assert seen.counts() == (27, 3)
    assert seen.complaints == []
    assert all(url.startswith((address[0], "data:", "blob:")) for url in seen.asked)
    server.send_signal(signal.SIGINT)
    assert server.wait(timeout=20) == 130
    server.stderr.close()


def test_other_tables(browser, few_people, cli, tmp_path) -> None:
    """Cells by day with their truth, counted cells, and day plans without a map."""

    def opened(*arguments: str) -> ViewPage:
        done = cli("view", *arguments, "--export", str(tmp_path / "page.html"), cwd=few_people)
        assert done.code == 0, done.err
        return ViewPage(browser, (tmp_path / "page.html").as_uri())

    city = pl.read_csv(few_people / "city.csv")
    seen = opened("city.csv")
    assert seen.counts() == (city.height, 8)
    assert colours_in(seen.picture()) > 20
    counts = sorted(seen.page.evaluate("[...view.squares.values()]"))
    assert counts == sorted(city.group_by("x", "y").len()["len"])
    pages = [seen]
    # Too many rows are counted in squares, by hour of the day.
    seen = opened("city.csv", "--max-rows", "2000")
    assert seen.counts()[0] == city.height
    assert seen.page.evaluate("[...view.squares.values()].reduce((a, b) => a + b)") == city.height
    seen.after(lambda: seen.page.click("#hours button:nth-child(13)"))
    assert seen.counts()[0] == city.filter(pl.col("t") // 2 == 12).height
    assert colours_in(seen.picture()) > 10
    assert not seen.page.locator("#slider").is_visible()
    pages.append(seen)
    predicted = pl.read_csv(few_people / "predicted.csv")
    uid, day = predicted["uid"][0], predicted["d"][0]
    only = ("--truth", "city.csv", "--user", f"{uid}", "--days", f"{day}")
    seen = opened("predicted.csv", *only)
    assert seen.counts() == (2 * predicted.filter(uid=uid, d=day).height, 1)
    assert seen.page.evaluate("view.drawnStrips") == 2
    before = seen.picture()
    seen.after(lambda: seen.page.select_option("#colour", "value"))
    assert seen.picture() != before
    seen.after(lambda: seen.page.uncheck("#tables input >> nth=1"))
    assert seen.counts()[0] == predicted.filter(uid=uid, d=day).height
    pages.append(seen)
    seen = opened("plans.csv")
    assert not seen.page.locator("#map").is_visible()
    assert seen.page.evaluate("view.drawnStrips") > 20
    assert seen.counts()[0] == pl.read_csv(few_people / "plans.csv").height
    pages.append(seen)
    assert [one.complaints for one in pages] == [[]] * len(pages)


def test_flows_beside_flows(browser, few_people, cli, tmp_path) -> None:
    """The second minus the first, blue for less and orange for more."""
    (tmp_path / "law.csv").write_text(
        "origin,destination,flow\nNorth,Middle,5000\nMiddle,South,1000\nLake,North,7\n"
        "South,Middle,8000\n"
    )
    tables = ("commuting.csv", str(tmp_path / "law.csv"), "counties.csv")
    place = str(tmp_path / "page.html")
    assert cli("view", *tables, "--export", place, cwd=few_people).code == 0
    seen = ViewPage(browser, (tmp_path / "page.html").as_uri())
    told = seen.page.inner_text("#said")
    assert told.startswith("10 of 24 flows"), told
    label = "Array.from(view.level.keys()).filter(i => view.level[i]).map(describe).join('; ')"
    changes = seen.page.evaluate(label)
    assert "North → Middle\ndifference +1,000 trips" in changes
    assert "Middle → South\ndifference -4,000 trips" in changes
    assert "Lake → North\ndifference +7 trips" in changes
    assert "South → Middle" not in changes
    assert colours_in(seen.picture()) > 20
    assert seen.page.evaluate("nearestWay(view.D.x[0], view.D.y[0], 1000)") >= 0
    # One table after the other, at the same place.
    shown = []
    for _ in range(3):
        seen.after(lambda: seen.page.keyboard.press("t"))
        shown.append(seen.counts()[0])
    assert shown == [10, 4, 10]
    assert seen.complaints == []


def test_daily_flows_have_days_but_no_hours(browser, cli, tmp_path) -> None:
    days = "\n".join(f"2023-11-0{day},{day}_1,2_3,{day}.5" for day in (1, 2, 3))
    (tmp_path / "noto.csv").write_text(f"date,origin,destination,flow\n{days}\n")
    place = tmp_path / "page.html"
    done = cli("view", "noto.csv", "--cell-km", "2", "--export", str(place), cwd=tmp_path)
    assert done.code == 0, done.err
    seen = ViewPage(browser, place.as_uri())
    assert [seen.page.locator(f"#{part}").is_visible() for part in ("hours", "strip")] == [
        False
    ] * 2
    seen.after(lambda: seen.page.click("#weekdays button:nth-child(4)"))  # Thursday
    assert seen.counts()[0] == 1
    assert seen.page.locator("#slider").is_visible()
    assert seen.complaints == []


def test_a_few_places_far_away_do_not_make_a_dot_of_the_rest(browser, cli, tmp_path) -> None:
    lines = ["place_id,name,lat,lon"]
    lines += [f"n{k},,{39.9 + 0.001 * (k % 12)},{116.3 + 0.001 * (k // 12)}" for k in range(120)]
    lines += [f"f{k},,22.2,113.5" for k in range(4)]
    (tmp_path / "places.csv").write_text("\n".join([*lines, ""]))
    page = exported(cli, tmp_path, "places.csv")
    seen = ViewPage(browser, page.as_uri())

    def kilometres() -> float:
        number, unit = seen.page.inner_text("#scale span").split()
        return float(number) / (1 if unit == "km" else 1000)

    assert kilometres() < 1
    seen.after(lambda: seen.page.click("#fit"))
    assert kilometres() > 50
    done = cli("view", "places.csv", "--export", "map.svg", cwd=tmp_path)
    assert done.code == 0, done.err
    assert any("4 rows outside the map" in text for text in texts(tmp_path / "map.svg"))
    assert cli("data", "describe", "places.csv", "--plot", "where.svg", cwd=tmp_path).code == 0
    assert "where, 4 rows outside the map" in texts(tmp_path / "where.svg")


class TileServer(BaseHTTPRequestHandler):
    """Pink tiles; keeps the paths that it was asked for."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        tile = io.BytesIO()
        Image.new("RGB", (256, 256), PINK).save(tile, "png")
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.end_headers()
        self.wfile.write(tile.getvalue())

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def test_tiles_are_asked_of_their_server_alone(browser, folder, cli) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), TileServer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        origin = f"http://127.0.0.1:{server.server_address[1]}"
        page = exported(cli, folder, "visits.csv", "--tiles", origin + "/{z}/{x}/{y}.png")
        seen = ViewPage(browser, page.as_uri())
        seen.until("map.kept.size && [...map.kept.values()].every((one) => one.naturalWidth)")
        server.shutdown()
    # 39.94 degrees north, 116.325 east: tiles around x = 2^z (116.325 + 180) / 360.
    level, east, south = map(int, TileServer.asked[0].removesuffix(".png")[1:].split("/"))
    assert abs(east / 2**level - (116.325 + 180) / 360) < 4 / 2**level
    assert abs(south / 2**level - 0.3787) < 4 / 2**level
    found = Image.open(io.BytesIO(seen.picture())).convert("RGB").getcolors(1 << 20)
    assert max(found or [])[1] == PINK
    allowed = (page.as_uri(), "data:", f"{origin}/")
    assert all(one.startswith(allowed) for one in seen.asked)
    assert seen.complaints == []
