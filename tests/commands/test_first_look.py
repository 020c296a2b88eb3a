"""``--plot`` of what makes tables: the picture that ``data describe`` draws of them."""

from __future__ import annotations

import pytest

import humobctl as hm
from tests.messages import fails
from tests.plots.svg import texts

pytest.importorskip("matplotlib")
GRAVITY = ("generate", "gravity", "plans.csv", "--places", "places.csv")
FLOWS = ("generate", "flows", "--trips", "1000")


def test_flows_have_the_picture_of_data_describe(cli, workdir) -> None:
    """With distances, though the areas came from standard input, under names of their own."""
    areas = (workdir / "counties.csv").read_text().replace("area_id", "tile")
    columns = ("--columns", "tile=area_id")
    out = ("-o", "made.csv", "--plot", "first.svg")
    assert cli(*FLOWS, *columns, *out, cwd=workdir, input=areas).code == 0
    drawn = texts(workdir / "first.svg")
    assert {"Flows made.csv", "distances of trips"} <= set(drawn)
    assert "4 areas, 12 pairs with a flow, 1,000 trips, 0.0% within areas" in drawn


def test_visits_and_day_plans(cli, workdir) -> None:
    done = cli(*GRAVITY, "-o", "made/", "--plot", "visits.svg", cwd=workdir)
    assert done.code == 0, done.err
    assert {"Visits made", "where", "intents"} <= set(texts(workdir / "visits.svg"))
    frame = hm.intend(workdir / "population.csv", count=3, plot=workdir / "plans.svg")
    counts = f"3 users, 3 user-days, {frame.height} activities"
    assert {counts, "durations"} <= set(texts(workdir / "plans.svg"))


@pytest.mark.parametrize(
    ("output", "plot", "names"),
    [
        ((), "a.png", ("--plot", "--output")),
        (("-o", "made.fgb"), "a.png", ("made.fgb", "flatgeobuf", "parquet")),
        (("-o", "a.png", "--format", "csv"), "a.png", ("--output", "--plot", "a.png")),
        (("-o", "made.csv"), "a.txt", ("a.txt", ".svg")),
    ],
)
def test_what_cannot_be_drawn_is_refused_first(cli, workdir, output, plot, names) -> None:
    diffusion = ("generate", "diffusion", "--model", "none", "--count", "3")
    intend = ("intend", "population.csv")
    for command in (GRAVITY, diffusion, (*FLOWS, "counties.csv"), intend):
        done = cli(*command, *output, "--plot", plot, cwd=workdir)
        fails(done, *names, code=2)
    assert not (workdir / "a.png").exists()
    assert not list(workdir.glob("made*"))
