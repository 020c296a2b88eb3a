"""Flow series are made, masked, described and drawn."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

import humobctl as hm
from tests.conftest import Run
from tests.messages import fails, says

Cli = Callable[..., Run]


@pytest.fixture(scope="module")
def noto() -> pl.DataFrame:
    return hm.synth(flows=True, flows_grid="8x6", days=200, seed=1)


def test_the_peninsula_is_that_of_its_seed_and_lacks_two_days(noto: pl.DataFrame) -> None:
    assert noto.equals(hm.synth(flows=True, flows_grid="8x6", days=200, seed=1))
    assert not noto.equals(hm.synth(flows=True, flows_grid="8x6", days=200, seed=2))
    lost = noto.filter(pl.col("flow").is_null())["date"].to_list()
    assert lost == [dt.date(2024, 2, 2), dt.date(2024, 3, 5)]
    assert noto["date"].n_unique() == 200


def test_the_shock_and_the_week_show(noto: pl.DataFrame) -> None:
    days = noto.group_by("date").agg(pl.col("flow").sum()).sort("date")
    mean = {
        name: days.filter(pl.col("date").is_between(*period))["flow"].mean()
        for name, period in {
            "before": (dt.date(2023, 11, 6), dt.date(2023, 12, 24)),
            "after": (dt.date(2024, 1, 1), dt.date(2024, 1, 14)),
            "later": (dt.date(2024, 5, 1), dt.date(2024, 5, 18)),
        }.items()
    }
    assert mean["after"] < 0.9 * mean["before"]  # type: ignore[operator]
    assert mean["after"] < mean["later"]  # type: ignore[operator]


def test_days_are_hidden_and_the_others_stay(cli: Cli, noto: pl.DataFrame, tmp_path: Path) -> None:
    noto.write_parquet(tmp_path / "noto.parquet")
    dates = ("--from-date", "2024-02-01", "--to-date", "2024-03-31")
    run = cli("data", "mask", tmp_path / "noto.parquet", *dates, "-o", tmp_path / "h.tsv")
    says(run.err, "58 days")
    hidden = hm.read(str(tmp_path / "h.tsv"))
    gap = pl.col("date").is_between(dt.date(2024, 2, 1), dt.date(2024, 3, 31))
    assert hidden.filter(gap).height == 60
    assert hidden.filter(gap)["flow"].null_count() == 60
    assert hidden.filter(~gap).equals(noto.filter(~gap))
    assert hm.mask(noto, from_date="2024-02-01", to_date="2024-03-31").equals(hidden)


@pytest.mark.parametrize(
    ("options", "code", "names"),
    [
        ((), 2, ["--from-date", "--to-date"]),
        (("--from-date", "2024-02-02", "--to-date", "2024-02-01"), 2, ["2024-02-01 before"]),
        (("--from-date", "2030-01-01"), 1, ["no known day"]),
        (("--from-date", "1 May"), 2, ["--from-date", "'1 May'"]),
        (("--from-day", "3"), 2, ["--from-day", "a flow series"]),
    ],
)
def test_nothing_to_hide(
    cli: Cli, noto: pl.DataFrame, tmp_path: Path, options: tuple[str, ...], code: int, names: list
) -> None:
    noto.head(50).write_csv(tmp_path / "a.csv")
    fails(cli("data", "mask", tmp_path / "a.csv", *options), *names, code=code)


def test_dates_are_for_flow_series_alone(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("uid,d,t,x,y\n1,0,0,5,6\n")
    run = cli("data", "mask", tmp_path / "a.csv", "--from-date", "2024-02-01")
    fails(run, "--from-date", "grid trajectory", code=2)


def test_a_description_counts_days_and_sums_flow(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(
        "20240101\t{'1_1': {'1_1': 2.0, '2_1': 0.5}}\n20240102\tNA\n20240104\t{}\n"
    )
    found = json.loads(cli("data", "describe", tmp_path / "a.tsv").out)
    assert found["kind"] == "flow series"
    assert (found["days"], found["missing_days"], found["empty_days"]) == (3, 1, 1)
    assert found["hidden_days"] == ["2024-01-02"]
    assert (found["areas"], found["rows"]) == (2, 2)
    assert found["by_day"][0] == {"date": "2024-01-01", "pairs": 2, "total": 2.5, "within": 2.0}
    assert found["by_weekday"]["Monday"] == 2.5
    assert found["by_weekday"]["Tuesday"] is None
    says(cli("data", "describe", tmp_path / "a.tsv", "-f", "table").out, "hidden days")


def test_a_map_has_the_flows_of_each_day(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(
        "20240101\t{'1_1': {'1_1': 2.0, '2_1': 0.5}}\n20240102\tNA\n"
        "20240103\t{'1_1': {'2_3': 0.25, '-1_-1': 4.0}}\n"
    )
    page = tmp_path / "a.html"
    run = cli("view", tmp_path / "a.tsv", "--cell-km", 2, "--export", page)
    assert run.code == 0, run.err
    says(run.err, "3 rows")
    told = page.read_text()
    assert '"flows": true' in told or '"flows":true' in told
    assert "2024-01-01" in told
    run = cli("view", tmp_path / "a.tsv", "--days", "2", "--export", page)
    says(run.err, "1 row")
