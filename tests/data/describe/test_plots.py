"""Pictures of descriptions."""

import base64
import json
import re

import polars as pl
import pytest

from humobctl.data.describe.grid import GridDescription, describe_batches
from humobctl.data.describe.plots import write_plot
from humobctl.data.synth.run import SyntheticCity


@pytest.fixture(scope="module")
def found() -> GridDescription:
    city = pl.concat(list(SyntheticCity(10, 21, 0).trajectories()))
    hide = pl.when(pl.col("d") > 14).then(999)
    masked = city.with_columns(
        hide.otherwise(pl.col(name)).cast(pl.Int16).alias(name) for name in ("x", "y")
    )
    return describe_batches([masked], source="ten users")


def test_png_is_a_picture_with_colours(found: GridDescription, tmp_path) -> None:
    image = pytest.importorskip("matplotlib.image")
    path = tmp_path / "a.png"
    write_plot(found, str(path))
    pixels = image.imread(path)
    assert pixels.shape[0] > 500
    assert pixels.shape[1] > 1000
    assert len({tuple(p) for p in pixels[::3, ::3, :3].reshape(-1, 3).tolist()}) > 50
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_html_is_self_contained_and_holds_the_numbers(found: GridDescription, tmp_path) -> None:
    pytest.importorskip("plotly")
    path = tmp_path / "a.html"
    write_plot(found, str(path))
    page = path.read_text()
    assert re.search(r"<script[^>]+\bsrc=", page) is None
    assert len(page) > 1_000_000  # plotly's own script is in it
    assert "ten users: 10 users" in page
    assert "is a Sunday" not in page  # day 0 is any weekday
    traces = json.JSONDecoder().raw_decode(page, page.index("[", page.rindex("Plotly.newPlot(")))[0]
    by_name = {trace.get("name"): trace for trace in traces}
    assert {"rows", "masked", "users"} <= set(by_name)
    assert [trace["type"] for trace in traces].count("heatmap") == 1
    users = by_name["users"]["y"]
    if isinstance(users, dict):
        users = list(base64.b64decode(users["bdata"]))
    assert users == [day["users"] for day in found.by_day]
