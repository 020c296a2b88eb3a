"""``predict --validate`` of a submission of HuMob 2026."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from humobctl.tables.flow_series import hidden_days_2026
from tests.conftest import Run
from tests.messages import fails, says

Cli = Callable[..., Run]
FLOWS = "{'50_40': {'50_40': 1.5, '-1_-1': 0}}"
DAYS = [f"{day:%Y%m%d}" for day in hidden_days_2026()]


def check(cli: Cli, folder: Path, submission: str) -> Run:
    hidden = [f"{day}\tNA\n" for day in sorted([*DAYS, "20240202", "20240305", "20231201"])]
    (folder / "given.tsv").write_text("".join(hidden))
    (folder / "sub.tsv").write_text(submission)
    return cli("predict", folder / "given.tsv", "--validate", folder / "sub.tsv")


def test_a_valid_submission_has_the_58_days(cli: Cli, tmp_path: Path) -> None:
    assert len(DAYS) == 58
    run = check(cli, tmp_path, "".join(f"{day}\t{FLOWS}\n" for day in DAYS))
    assert run.code == 0
    says(run.err, "valid", "58 days", "116 pairs")


@pytest.mark.parametrize(
    ("day", "flows", "names"),
    [
        ("20240210", None, ["lacks 1 day", "20240210"]),
        ("20240202", FLOWS, ["20240202", "not asked for"]),
        ("20240401", FLOWS, ["20240401", "not asked for"]),
        ("20240210", "NA", ["20240210", "NA"]),
        ("20240210", "{}", ["20240210", "no flow"]),
        ("20240210", "{'50_40': {}}", ["50_40", "without destinations"]),
        ("20240210", "{'71_40': {'50_40': 1.0}}", ["71_40", "up to 70"]),
        ("20240210", "{'50_40': {'50_101': 1.0}}", ["50_101", "up to 100"]),
        ("20240210", "{'50_40': {'-1_40': 1.0}}", ["-1_40"]),
        ("20240210", "{'50_40': {'50_40': -1.0}}", ["line", "a finite number from 0"]),
        ("20240210", "{'50_40': {'50_40': inf}}", ["line", "a finite number from 0"]),
        ("20240210", '{"50_40": {"50_40": NaN}}', ["line", "a finite number from 0"]),
    ],
)
def test_what_the_organisers_refuse(
    cli: Cli, tmp_path: Path, day: str, flows: str | None, names: list[str]
) -> None:
    lines = dict.fromkeys(DAYS, FLOWS)
    if flows is None:
        del lines[day]
    else:
        lines[day] = flows
    text = "".join(f"{date}\t{one}\n" for date, one in lines.items())
    fails(check(cli, tmp_path, text), "sub.tsv", *names)


def test_a_table_is_not_a_submission(cli: Cli, tmp_path: Path) -> None:
    run = check(cli, tmp_path, "date,origin,destination,flow\n2024-02-01,50_40,50_40,1\n")
    fails(run, "HuMob 2026", "data export")


def test_other_hidden_days_are_those_of_the_table(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "given.tsv").write_text("20240510\tNA\n")
    (tmp_path / "sub.tsv").write_text(f"20240510\t{FLOWS}\n")
    run = cli("predict", tmp_path / "given.tsv", "--validate", tmp_path / "sub.tsv")
    says(run.err, "valid", "1 day")
