"""Commands on a small city, compared with known results.

Each runs in a process of its own, as people run it: a processor that lacks an instruction of some
package ends that step, not the report.
"""

from __future__ import annotations

import csv
import json
import math
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from humobctl.doctor.packages import Package

STEP_SECONDS = 60
ROWS, MASKED, FEW_MASKED = 19_379, 3_870, 935
"""Rows of 20 users, seed 1; of their days from 60 on; and of the first four users of those."""
FEW = 4
RECORDED = {("geobleu", "humob24"): (0.437, 0.02), ("dtw", "humob24"): (13.82, 0.7)}
"""Scores of the history baseline there, and how far other processors and versions may be off."""
BY_HAND = {
    # Generated (1, 1), (2, 1) against (2, 1), (4, 1): greedy pairs at 0 and 3 cells, one bigram at
    # 1 and 2 cells; DTW along the diagonal, 1 + 2 cells of 0.5 km.
    ("geobleu", "humob24"): (math.sqrt((1 + math.exp(-1.5)) / 2 * math.exp(-1.5)), 1e-12),
    ("dtw", "humob24"): (1.5, 1e-12),
    ("dtw", "humob25"): (1.5, 1e-12),
}
_TRUTH = "uid,d,t,x,y\n1,60,0,2,1\n1,60,1,4,1\n"
_GUESS = "uid,d,t,x,y\n1,60,0,1,1\n1,60,1,2,1\n"
_PEOPLE = """profile_id,education,gender,consumption,occupation
0,Bachelor's degree,man,medium,IT Engineer
1,uncertain,uncertain,uncertain,Online Sales
2,High school diploma,woman,slightly low,Warehousing
"""
_AWAY = (
    *("go to work", "eat", "do shopping", "do sports", "excursion", "medical treatment"),
    *("leisure or entertainment", "handle the trivialities of life"),
    *("banking and financial services", "cultural institutions and events"),
)


class UnexpectedError(Exception):
    """A command succeeded with another result than expected."""


@dataclass(frozen=True)
class SmokeStep:
    """A command and a check of its result.

    Attributes:
        name: for people.
        words: the command line after ``humobctl``.
        check: looks at the folder and at standard output, and raises ``UnexpectedError``.
        extra: that it needs; None for the core.
    """

    name: str
    words: tuple[str, ...]
    check: Callable[[Path, str], str]
    extra: str | None = None


@dataclass(frozen=True)
class StepOutcome:
    """How a step ended: ``ok``, ``failed`` or ``skipped``; its time; what was seen, or why."""

    step: str
    state: str
    seconds: float
    detail: str


def run(folder: Path, parts: Sequence[Package]) -> Iterator[StepOutcome]:
    """Run every step in an empty folder; those of a missing extra are skipped.

    Args:
        folder: for the files; whoever made it takes it away.
        parts: the packages, as ``parts.parts`` finds them.
    """
    (folder / "truth.csv").write_text(_TRUTH)
    (folder / "guess.csv").write_text(_GUESS)
    (folder / "people.csv").write_text(_PEOPLE)
    (folder / "places.csv").write_text(_places())
    for step in STEPS:
        missing = [part for part in parts if part.extra == step.extra and not part.ok]
        if step.extra is not None and missing:
            yield StepOutcome(step.name, "skipped", 0.0, _lack(missing))
        else:
            yield _attempt(step, folder)


def _lack(missing: Sequence[Package]) -> str:
    """Why a step cannot be run, if so."""
    states = "; ".join(f"{part.name}: {part.state}" for part in missing)
    return f"needs the extra '{missing[0].extra}' ({states})"


def _attempt(step: SmokeStep, folder: Path) -> StepOutcome:
    command = [sys.executable, "-m", "humobctl", "--quiet", *step.words]
    begun = time.monotonic()
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=STEP_SECONDS,
        )
        state, detail = "ok", ""
        if done.returncode:
            state, detail = "failed", _why(done.returncode, done.stderr)
        else:
            detail = step.check(folder, done.stdout)
    except subprocess.TimeoutExpired:
        state, detail = "failed", f"took more than {STEP_SECONDS} s"
    except UnexpectedError as exc:
        state, detail = "failed", str(exc)
    except (OSError, ValueError, KeyError) as exc:
        state, detail = "failed", f"its output cannot be read: {exc}"
    return StepOutcome(step.name, state, time.monotonic() - begun, detail)


def _why(code: int, said: str) -> str:
    """The last line that a failed command said, or the signal that ended it."""
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    lines = [line for line in said.splitlines() if line.strip()]
    return lines[-1].removeprefix("error: ") if lines else f"exit code {code}"


def _expect(what: str, found: float, expected: float, within: float = 0) -> None:
    if not abs(found - expected) <= within:
        raise UnexpectedError(f"{what}: found {found:g}, expected {expected:g}")


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _has_rows(name: str, count: int) -> Callable[[Path, str], str]:
    def check(folder: Path, _: str) -> str:
        _expect(f"rows of {name}", len(_rows(folder / name)), count)
        return f"{count:,} rows"

    return check


def _is_masked(folder: Path, _: str) -> str:
    hidden = sum(row["x"] == "999" == row["y"] for row in _rows(folder / "challenge.csv"))
    _expect("masked rows", hidden, MASKED)
    # torch takes seconds for twenty users.
    header, *lines = (folder / "challenge.csv").read_text().splitlines(keepends=True)
    few = [line for line in lines if int(line.split(",")[0]) < FEW]
    (folder / "few.csv").write_text(header + "".join(few))
    return f"{hidden:,} rows masked"


def _is_predicted(name: str, count: int = MASKED) -> Callable[[Path, str], str]:
    def check(folder: Path, _: str) -> str:
        rows = _rows(folder / name)
        _expect(f"rows of {name}", len(rows), count)
        outside = sum(not 1 <= int(row[axis]) <= 200 for row in rows for axis in "xy")
        _expect(f"cells outside the grid in {name}", outside, 0)
        return f"{len(rows):,} cells"

    return check


def _scores(expected: dict[tuple[str, str], tuple[float, float]]) -> Callable[[Path, str], str]:
    def check(_: Path, said: str) -> str:
        found = {(s["metric"], s["dialect"]): s["value"] for s in json.loads(said)["scores"]}
        for (metric, dialect), (value, within) in expected.items():
            _expect(f"{metric} {dialect}", found[metric, dialect], value, within)
        scores = found["geobleu", "humob24"], found["dtw", "humob24"]
        return "GEO-BLEU {:.4f}, DTW {:.2f} km (humob24)".format(*scores)

    return check


def _is_planned(folder: Path, _: str) -> str:
    rows = _rows(folder / "plans.csv")
    _expect("people in plans.csv", len({row["uid"] for row in rows}), 20)
    for before, after in pairwise(rows):
        if before["uid"] == after["uid"]:
            early = int(before["end_min"]) - int(after["start_min"])
            _expect("overlapping minutes in plans.csv", max(early, 0), 0)
    return f"{len(rows)} events of 20 people"


def _is_placed(folder: Path, _: str) -> str:
    plans, visits = _rows(folder / "plans.csv"), _rows(folder / "visits.csv")
    _expect("rows of visits.csv", len(visits), len(plans))
    off = sum(not 39.8 <= float(row["lat"]) <= 40.0 for row in visits)
    _expect("visits outside the city", off, 0)
    return f"{len(visits)} visits"


def _is_model(name: str) -> Callable[[Path, str], str]:
    def check(folder: Path, _: str) -> str:
        written = json.loads((folder / name / "run.json").read_text())
        return f"version {written['version']}"

    return check


def _places() -> str:
    """Three places of each intent that is carried out away from home."""
    lines = ["place_id,name,category,intent,lat,lon"]
    for number in range(3 * len(_AWAY)):
        lat, lon = 39.86 + 0.01 * (number % 9), 116.34 + 0.03 * (number // len(_AWAY))
        lines.append(f"p{number},,,{_AWAY[number % len(_AWAY)]},{lat:.3f},{lon:.3f}")
    return "\n".join(lines) + "\n"


_BERT = ("--preset", "tiny", "--max-steps", "2", "--device", "cpu")
STEPS = (
    SmokeStep(
        "score by hand",
        ("eval", "guess.csv", "--truth", "truth.csv", "--format", "json"),
        _scores(BY_HAND),
    ),
    SmokeStep(
        "data synth",
        ("data", "synth", "--users", "20", "--seed", "1", "--output", "city.csv"),
        _has_rows("city.csv", ROWS),
    ),
    SmokeStep(
        "data mask",
        ("data", "mask", "city.csv", "--from-day", "60", "--output", "challenge.csv"),
        _is_masked,
    ),
    SmokeStep(
        "predict",
        ("predict", "challenge.csv", "--output", "history.csv"),
        _is_predicted("history.csv"),
    ),
    SmokeStep(
        "eval",
        ("eval", "history.csv", "--truth", "city.csv", "--format", "json"),
        _scores(RECORDED),
    ),
    SmokeStep(
        "train ranker",
        ("train", "ranker", "challenge.csv", "--rows", "500", "--output", "ranker"),
        _is_model("ranker"),
    ),
    SmokeStep(
        "predict with the ranker",
        (
            *("predict", "challenge.csv", "--model", "ranker", "--decode", "argmax"),
            *("--output", "ranked.csv"),
        ),
        _is_predicted("ranked.csv"),
    ),
    SmokeStep(
        "intend",
        ("intend", "people.csv", "--count", "20", "--output", "plans.csv"),
        _is_planned,
    ),
    SmokeStep(
        "generate gravity",
        (
            *("generate", "gravity", "plans.csv", "--places", "places.csv"),
            *("--output", "visits.csv"),
        ),
        _is_placed,
    ),
    SmokeStep(
        "train bert-moe",
        ("train", "bert-moe", "few.csv", *_BERT, "--output", "bert"),
        _is_model("bert"),
        extra="torch",
    ),
    SmokeStep(
        "predict with bert-moe",
        (
            *("predict", "few.csv", "--model", "bert", "--decode", "argmax"),
            *("--device", "cpu", "--output", "bert.csv"),
        ),
        _is_predicted("bert.csv", FEW_MASKED),
        extra="torch",
    ),
)
