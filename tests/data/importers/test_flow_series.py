"""Daily flows: the file of HuMob 2026, of which these tests know the published description alone
(the data are restricted), and tables of date, origin, destination and flow."""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from humobctl.data.flow_series.challenge_file import day_line, numbers_as_python
from humobctl.data.flow_series.read import read_flow_days
from humobctl.errors import HumobError
from humobctl.tables.flow_series import AreaNumbers
from tests.conftest import Run
from tests.messages import fails, raises, says

Cli = Callable[..., Run]

DAYS = {
    "20231101": {"50_40": {"50_40": 26.570000000000004, "51_40": 1e-05}, "-1_-1": {"50_40": 0.5}},
    "20231102": None,
    "20231103": {},
    "20231104": {"7_100": {}, "50_40": {"-1_-1": 1.5e-07, "7_100": 0.0, "1_1": 1e16}},
}
CHALLENGE = "".join(f"{date}\t{'NA' if day is None else day}\n" for date, day in DAYS.items())
"""As Python shows dictionaries."""
ROWS = [
    ("2023-11-01", "50_40", "50_40", 26.570000000000004),
    ("2023-11-01", "50_40", "51_40", 1e-05),
    ("2023-11-01", "-1_-1", "50_40", 0.5),
    ("2023-11-02", None, None, None),
    ("2023-11-03", None, None, 0.0),
    ("2023-11-04", "7_100", None, 0.0),
    ("2023-11-04", "50_40", "-1_-1", 1.5e-07),
    ("2023-11-04", "50_40", "7_100", 0.0),
    ("2023-11-04", "50_40", "1_1", 1e16),
]


def read(path: Path) -> list[tuple[object, ...]]:
    areas = AreaNumbers()
    days = pl.concat([day.to_frame(areas) for day in read_flow_days(str(path), areas)])
    return days.with_columns(pl.col("date").cast(pl.String)).rows()


@pytest.mark.parametrize("packed", [False, True])
def test_the_challenge_becomes_a_table_and_comes_back_byte_for_byte(
    cli: Cli, tmp_path: Path, packed: bool
) -> None:
    given = tmp_path / ("a.tsv.gz" if packed else "a.tsv")
    given.write_bytes(gzip.compress(CHALLENGE.encode()) if packed else CHALLENGE.encode())
    assert read(given) == ROWS
    for table in ("t.csv", "t.parquet", "t.ndjson"):
        run = cli("data", "import", given, "-o", tmp_path / table)
        assert run.code == 0
        says(run.err, "4 days", "1 of them hidden")
        assert read(tmp_path / table) == ROWS
        assert cli("data", "export", tmp_path / table, "-o", tmp_path / "b.tsv").code == 0
        assert (tmp_path / "b.tsv").read_text() == CHALLENGE


@pytest.mark.parametrize(
    ("flows", "names"),
    [
        ("{'1_1': {'1_1': __import__('os')}}", ["a finite number", "position 26", "__import__"]),
        ("{'1_1': {'1_1': -1.0}}", ["a finite number", "position 26"]),
        ("{'1_1': {'1_1': nan}}", ["a finite number", "position 26"]),
        ("{'1_1': {'1_1': 1e999}}", ["a finite number", "position 26"]),
        ("{'1_1': {'1_1': 0x10}}", ["',' or '}'", "position 27"]),
        ("{'1_1': {'1_1': {'1_1': 1.0}}}", ["a finite number", "position 26"]),
        ("{'1_1': 1.0}", ["{", "position 18"]),
        ("{'1_01': {'1_1': 1.0}}", ["a cell", "position 11"]),
        ("{'a': {'1_1': 1.0}}", ["a cell", "position 11"]),
        ("{'1_1': {'1_1': 1.0}, '2_2'", ["':'", "the end of the line"]),
        ("{'1_1': {'1_1': 1.0", ["',' or '}'", "the end of the line"]),
        ("{'1_1': {'1_1': 1.0}} + 1", ["the end of the line", "after the last '}'"]),
        ("{'1_1': {'1_1': 1.0, '1_1': 2.0}}", ["a second time", "each destination once"]),
        ("{'1_1': {'1_1': 1.0}, '1_1': {}}", ["a second time", "each origin once"]),
        ("None", ["'None'", "position 10"]),
    ],
)
def test_a_fault_is_one_line_with_its_place(
    cli: Cli, tmp_path: Path, flows: str, names: list[str]
) -> None:
    (tmp_path / "a.tsv").write_text(f"20231101\tNA\n20231102\t{flows}\n")
    run = cli("data", "import", tmp_path / "a.tsv", "-o", tmp_path / "b.csv")
    assert "line 2" in run.err
    for name in names:
        assert name in run.err
    fails(run, "a.tsv")
    assert not (tmp_path / "b.csv").exists()


@pytest.mark.parametrize(
    ("second", "names"),
    [
        ("20231101\tNA", ["20231101", "a second time"]),
        ("20230230\tNA", ["a date"]),
        ("1 Nov 2023\tNA", ["a date"]),
        ("20231102 NA", ["a tab"]),
    ],
)
def test_a_line_that_is_no_day(cli: Cli, tmp_path: Path, second: str, names: list[str]) -> None:
    (tmp_path / "a.tsv").write_text(f"20231101\tNA\n{second}\n20231103\tNA\n")
    fails(cli("data", "import", tmp_path / "a.tsv"), "line 2", *names, notes=True)
    run = cli("data", "import", tmp_path / "a.tsv", "--on-error", "drop")
    assert [line[:10] for line in run.out.splitlines()] == [
        "date,origi",
        "2023-11-01",
        "2023-11-03",
    ]
    says(run.err, "dropped 1 row")


def test_deep_nesting_ends_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("20231101\t" + "{'1_1': " * 100_000)
    with raises(HumobError, "line 1", "a finite number from 0"):
        read(tmp_path / "a.tsv")


def test_numbers_are_those_of_python(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    values = np.concatenate(
        [
            np.exp(draw.normal(0, 8, 2000)),
            np.exp(draw.normal(0, 200, 500)),
            draw.random(2000).round(4),
            [0.0, 1e-4, 1e-5, 9.99e-5, 1e15, 1e16, 1e22, 1e23, 5e-324, 2**53 + 1.0, math.pi],
        ]
    )
    texts = [repr(value) for value in values.tolist()]
    assert numbers_as_python(values).to_list() == texts
    texts += ["0.1000000000000000055511151231257827", "123456789012345678901234567890", "7", "1E5"]
    line = ", ".join(f"'{number}_1': {text}" for number, text in enumerate(texts))
    (tmp_path / "a.tsv").write_text(f"20231101\t{{'1_1': {{{line}}}}}\n")
    (day,) = read_flow_days(str(tmp_path / "a.tsv"), AreaNumbers())
    assert day.flow.tolist() == [float(text) for text in texts]


def test_whole_numbers_are_told(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("20231101\t{'1_1': {'1_1': 1, '1_2': 2.0}}\n")
    says(cli("data", "import", tmp_path / "a.tsv").err, "1 value", "decimal point")


def test_other_daily_flows_are_sorted_by_day_with_their_rows_in_order(
    cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text(
        "From,To,Trips,Date\nNorth,South,3,2024-01-02\nNorth,North,1,20240101\n"
        "South,North,2,2024-01-02\n,,,2024-01-03\n"
    )
    run = cli("data", "import", tmp_path / "a.csv")
    assert run.out.splitlines() == [
        "date,origin,destination,flow",
        "2024-01-01,North,North,1.0",
        "2024-01-02,North,South,3.0",
        "2024-01-02,South,North,2.0",
        "2024-01-03,,,",
    ]
    says(run.err, "sorted by date")
    fails(
        cli("data", "export", tmp_path / "a.csv", "-o", tmp_path / "b.tsv"), "'North'", notes=True
    )


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        ("2024-01-01,a,b,1\n2024-01-01,a,b,2", ["a to b", "a second time", "2024-01-01"]),
        ("2024-01-01,a,b,1\n2024-01-01,,,", ["2024-01-01", "hidden"]),
        ("2024-01-01,a,b,-1", ["row 1", "column flow", -1]),
        ("2024-01-01,a,,2", ["row 1", "both areas"]),
        ("2024-13-01,a,b,2", ["row 1", "column date"]),
        ("2024-01-01,a,b,inf", ["row 1", "column flow"]),
    ],
)
def test_faults_of_a_table(cli: Cli, tmp_path: Path, rows: str, names: list[str]) -> None:
    (tmp_path / "a.csv").write_text(f"date,origin,destination,flow\n{rows}\n")
    fails(cli("data", "import", tmp_path / "a.csv"), *names, notes=True)


def test_rows_of_an_origin_that_stand_apart_are_written_together(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "date,origin,destination,flow\n2024-01-01,2_1,1_1,1\n2024-01-01,1_1,1_1,2\n"
        "2024-01-01,2_1,2_1,3\n"
    )
    areas = AreaNumbers()
    (day,) = read_flow_days(str(tmp_path / "a.csv"), areas)
    assert day_line(day, areas) == (
        "20240101\t{'2_1': {'1_1': 1.0, '2_1': 3.0}, '1_1': {'1_1': 2.0}}\n"
    )
