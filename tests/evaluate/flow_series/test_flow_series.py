"""Combined NRMSE of daily flows, against its plain definition, and classes of recovery."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import humobctl as hm
from humobctl.evaluate.flow_series.recovery import CLASSES, classes_of
from tests.conftest import Run
from tests.messages import fails, says

Cli = Callable[..., Run]
BOX = (30, 34, 35, 38)
"""5 by 4 cells."""


def series(days: list[dict[tuple[str, str], float] | None], first: str = "2024-02-01") -> str:
    start = dt.date.fromisoformat(first)
    rows = ["date,origin,destination,flow"]
    for number, day in enumerate(days):
        date = start + dt.timedelta(days=number)
        if day is None:
            rows.append(f"{date},,,")
        else:
            rows += [f"{date},{a},{b},{flow!r}" for (a, b), flow in day.items()]
    return "\n".join(rows) + "\n"


def draw_days(seed: int) -> list[dict[tuple[str, str], float]]:
    draw = np.random.default_rng(seed)
    cells = [f"{y}_{x}" for y in range(34, 40) for x in range(29, 36)] + ["-1_-1"]
    days = []
    for _ in range(4):
        ends = draw.choice(len(cells), (150, 2))
        ends[:25, 1] = ends[:25, 0]
        days.append({(cells[a], cells[b]): float(draw.gamma(1.0, 3.0)) for a, b in ends})
    return days


def plainly(made: dict[tuple[str, str], float], true: dict[tuple[str, str], float]) -> list[float]:
    """The definition, over all pairs of the box one by one."""
    cells = [f"{y}_{x}" for x in range(30, 35) for y in range(35, 39)]
    own, other = [], []
    for a in cells:
        for b in cells:
            error = made.get((a, b), 0.0) - true.get((a, b), 0.0)
            (own if a == b else other).append(error**2)
    assert (len(own), len(other)) == (20, 380)
    diagonal, off = np.sqrt(np.mean(own)) / 26.57, np.sqrt(np.mean(other)) / 0.0176
    return [(diagonal + off) / 2, diagonal, off]


def scores(cli: Cli, *arguments: object) -> dict[str, object]:
    run = cli("eval", *arguments, "--score-box", "30-34,35-38", "--format", "json")
    assert run.code == 0, run.err
    found: dict[str, object] = json.loads(run.out)
    return found


def test_it_is_the_plain_definition_over_all_pairs(cli: Cli, tmp_path: Path) -> None:
    made, true = draw_days(1), draw_days(2)
    (tmp_path / "made.csv").write_text(series([*made[:3], None]))
    (tmp_path / "true.csv").write_text(series(true))
    found = scores(cli, tmp_path / "made.csv", "--truth", tmp_path / "true.csv")
    expected = np.array([plainly(a, b) for a, b in zip(made[:3], true[:3], strict=True)])
    names = ("combined_nrmse", "nrmse_diagonal", "nrmse_off_diagonal")
    daily = np.array([[day[name] for name in names] for day in found["daily"]])  # type: ignore[attr-defined]
    np.testing.assert_allclose(daily, expected, rtol=1e-12, atol=0)
    values = [found[name] for name in names]
    np.testing.assert_allclose(values, expected.mean(axis=0), rtol=1e-12, atol=0)
    assert (found["days"], found["areas"]) == (3, 20)


def test_scales_are_options_and_all_areas_may_count(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "true.csv").write_text(series([{("a", "a"): 3.0, ("a", "b"): 4.0}]))
    (tmp_path / "made.csv").write_text(series([{("a", "a"): 1.0, ("c", "b"): 1.0}]))
    run = cli(
        *("eval", tmp_path / "made.csv", "-t", tmp_path / "true.csv", "--score-box", "all"),
        *("--diagonal-scale", 2, "--off-diagonal-scale", 0.5, "-f", "json"),
    )
    found = json.loads(run.out)
    # Diagonal: 2^2 over 3 areas; off diagonal: 4^2 + 1^2 over 6 pairs.
    assert found["nrmse_diagonal"] == pytest.approx((4 / 3) ** 0.5 / 2)
    assert found["nrmse_off_diagonal"] == pytest.approx((17 / 6) ** 0.5 / 0.5)


def test_the_box_of_the_challenge_has_1476_cells(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(series([{("35_30", "35_30"): 1.0, ("70_70", "35_30"): 1.0}]))
    found = hm.evaluate_flow_series(str(tmp_path / "a.csv"), str(tmp_path / "a.csv")).to_dict()
    assert (found["areas"], found["combined_nrmse"]) == (1476, 0.0)
    says(cli("eval", tmp_path / "a.csv", "-t", tmp_path / "a.csv").err, "without any error")


def test_no_flow_at_all_scores_about_one_on_the_synthetic_peninsula() -> None:
    flows = hm.synth(flows=True, days=4, start_date="2024-02-05")
    none = flows.with_columns(flow=pl.lit(0.0))
    found = hm.evaluate_flow_series(none, flows).to_dict()
    assert 0.7 < found["combined_nrmse"] < 1.3


def test_files_are_compared_over_days(cli: Cli, tmp_path: Path) -> None:
    true = draw_days(3)
    near = [{pair: 1.1 * flow for pair, flow in day.items()} for day in true]
    far = [{pair: 1.5 * flow for pair, flow in day.items()} for day in true]
    for name, days in (("true", true), ("near", near), ("far", far)):
        (tmp_path / f"{name}.csv").write_text(series(days))  # type: ignore[arg-type]
    first, second = scores(  # type: ignore[misc]
        cli, tmp_path / "far.csv", tmp_path / "near.csv", "-t", tmp_path / "true.csv"
    )
    difference = second["differences"][0]  # type: ignore[index]
    assert difference["difference"] == pytest.approx(
        second["combined_nrmse"] - first["combined_nrmse"]  # type: ignore[index]
    )
    low, high = difference["interval"]
    assert low <= difference["difference"] <= high < 0


def test_classes_of_recovery() -> None:
    expected = {
        # before, after, late
        (0.1, 0.2, 0.3): "inactive",
        (0.1, 5.0, 0.0): "emergent",
        (10.0, 10.5, 9.5): "stable",
        (10.0, 4.0, 9.5): "recovered",
        (10.0, 4.0, 6.0): "partial recovery",  # a third of the loss is made good
        (10.0, 4.0, 5.0): "persistent decrease",  # a sixth
        (10.0, 10.0, 5.0): "delayed decrease",
        (10.0, 16.0, 10.5): "temporary increase",
        (10.0, 16.0, 14.0): "partial dissipation",
        (10.0, 16.0, 15.5): "persistent increase",
        (10.0, 10.0, 15.0): "delayed increase",
    }
    found = classes_of(*np.array(list(expected)).T)
    assert [CLASSES[one] for one in found] == list(expected.values())
    assert set(expected.values()) == set(CLASSES)


def test_scores_by_recovery_make_up_the_whole(cli: Cli, tmp_path: Path) -> None:
    flows = hm.synth(flows=True, flows_grid="8x8", days=140)
    flows.write_parquet(tmp_path / "true.parquet")
    made = flows.filter(pl.col("date") >= dt.date(2024, 2, 1)).with_columns(pl.col("flow") * 0.8)
    made.write_parquet(tmp_path / "made.parquet")
    run = cli(
        *("eval", tmp_path / "made.parquet", "-t", tmp_path / "true.parquet"),
        *("--score-box", "30-37,35-42", "-f", "json"),
    )
    parts = json.loads(run.out)["by_recovery"]
    assert sum(part["areas"] for part in parts) == 64
    assert sum(part["share_of_squares_diagonal"] for part in parts) == pytest.approx(1)
    table = cli("eval", tmp_path / "made.parquet", "-t", tmp_path / "true.parquet", "-f", "table")
    says(table.out, "recovered")


@pytest.mark.parametrize(
    ("made", "options", "names"),
    [
        (series([{("35_30", "35_30"): 1.0}], "2023-01-01"), (), ["made.csv", "no day"]),
        (series([{("a", "a"): 1.0}]), (), ["no cell", "--score-box"]),
        (series([{("a", "a"): 1.0}]), ("--score-box", "1,2"), ["--score-box", "'1,2'"]),
        (series([{("a", "a"): 1.0}]), ("--shock-date", "x"), ["--shock-date", "'x'"]),
        (series([{("a", "a"): 1.0}]), ("--within",), ["--within", "daily flows"]),
    ],
)
def test_what_cannot_be_scored(
    cli: Cli, tmp_path: Path, made: str, options: tuple[str, ...], names: list[str]
) -> None:
    (tmp_path / "made.csv").write_text(made)
    (tmp_path / "true.csv").write_text(series([{("b", "b"): 1.0}]))
    run = cli("eval", tmp_path / "made.csv", "-t", tmp_path / "true.csv", *options)
    fails(run, *names, code=2 if options else 1)
