"""Scores of predictions against the truth, user-day by user-day.

A score is taken of each user-day, averaged over a user's days, then over users: so do the
organisers of the HuMob challenges.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from humobctl import __version__
from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.errors import HumobError
from humobctl.evaluate.breakdowns import check_past
from humobctl.evaluate.cells.align import AlignedDays, Coverage, Mismatch, align, refuse_masked
from humobctl.evaluate.cells.breakdowns import CellGroup, gather_groups, tabulate_groups
from humobctl.evaluate.cells.dtw import HUMOB_CELL_KM, fast_dtw_days
from humobctl.evaluate.cells.errors import ErrorTally, tally_errors
from humobctl.evaluate.cells.geobleu import BETA, DIALECTS, RULES, combine
from humobctl.evaluate.cells.kernels import score_days
from humobctl.evaluate.cells.points import POINT_METRICS
from humobctl.evaluate.registry import NAMES, DtwKind, Metric, metrics
from humobctl.execution.run import LongRun
from humobctl.execution.task import Done, Moved, Worker, user_parts
from humobctl.io.by_user import UserStore, paired_groups
from humobctl.io.read import iter_table
from humobctl.io.row_errors import OnError
from humobctl.io.shift_days import add_days, likely_shift
from humobctl.native import Floats
from humobctl.tables.schemas import MAX_DAY


@dataclass(frozen=True)
class CellEvalSettings:
    """What to score, and how.

    Attributes:
        dialects: humob24, humob25 or both.
        dtw: exact, or fast (FastDTW, closed only).
        days: first and last day to score; by default those that are predicted.
        allow_partial: score what was predicted of the truth, and report the coverage.
        only_predicted_users: leave out users of the truth that were not predicted at all.
        cell_km: side of a cell, in kilometres.
        names: metrics to compute, by name.
        shift_days: added to the days of the predictions.
        with_errors: whether to tally where predictions err, too.
        by: breakdowns.
        first_weekday: of day 0; 0 is Sunday.
    """

    dialects: tuple[str, ...] = DIALECTS
    dtw: DtwKind = "exact"
    days: tuple[int, int] | None = None
    allow_partial: bool = False
    only_predicted_users: bool = False
    cell_km: float = HUMOB_CELL_KM
    names: tuple[str, ...] = NAMES
    shift_days: int = 0
    on_error: OnError = "fail"
    with_errors: bool = False
    by: tuple[str, ...] = ()
    first_weekday: int = 0

    def metrics(self) -> list[Metric]:
        """The metrics that these settings ask for."""
        found = metrics(self.dialects, self.dtw, self.cell_km)
        # FastDTW has no free prefix.
        left_out = ("dtw", "humob24") if self.dtw == "fast" else None
        return [m for m in found if m.name in self.names and (m.name, m.dialect) != left_out]


class SeedSpread(NamedTuple):
    """How far a mean over seeds moves.

    Attributes:
        sd: standard deviation of a seed's score.
        low, high: bootstrap interval of the score of one seed: users are drawn, and a seed.
        confidence: of that interval.
    """

    sd: float
    low: float
    high: float
    confidence: float


@dataclass
class Evaluation:
    """Scores of one file of predictions, or the mean of several seeds of one entry.

    Attributes:
        name: the file.
        metrics: what was computed.
        users: per user: uid, days, and a column a metric; sorted by uid.
        days: first and last day scored.
        coverage: how much of the truth was predicted.
        errors: where the predictions err, if that was asked for.
        by_seed: scores of several seeds, shape (seeds, users, metrics); None of one file.
        files: of these seeds.
        spread: over seeds, by column of the metric.
        groups: of the breakdowns.
    """

    name: str
    metrics: list[Metric]
    users: pl.DataFrame
    days: tuple[int, int]
    coverage: Coverage
    user_days: int = 0
    settings: CellEvalSettings = field(default_factory=CellEvalSettings)
    errors: ErrorTally = field(default_factory=ErrorTally)
    by_seed: Floats | None = None
    files: tuple[str, ...] = ()
    spread: dict[str, SeedSpread] = field(default_factory=dict)
    groups: list[CellGroup] = field(default_factory=list)

    @property
    def values(self) -> Floats:
        """Scores of users, shape (seeds, users, metrics)."""
        if self.by_seed is not None:
            return self.by_seed
        return self.users.select([one.column for one in self.metrics]).to_numpy()[np.newaxis]

    def value(self, metric: Metric) -> float:
        """Mean over users."""
        return float(self.users[metric.column].to_numpy().mean())

    def signature(self, metric: Metric) -> str:
        """Every setting that changes the value, in the manner of sacrebleu."""
        parts = [metric.name, *(f"{key}:{text}" for key, text in metric.settings)]
        if metric.dialect:
            parts.append(f"dialect:{metric.dialect}")
        parts.append(f"users:{self.users.height}")
        parts.append(f"days:{self.days[0]}-{self.days[1]}")
        if self.files:
            parts.append(f"seeds:{len(self.files)}")
        if self.coverage.rows < self.coverage.expected_rows:
            parts.append(f"coverage:{self.coverage.rows}/{self.coverage.expected_rows}")
        return "|".join([*parts, f"v:{__version__}"])


def score(days: AlignedDays, settings: CellEvalSettings) -> dict[str, Floats]:
    """All scores of aligned user-days, each of shape (days,), by column name."""
    wanted = settings.metrics()
    result: dict[str, Floats] = {}
    sides = ((*days.generated, days.starts), (*days.reference, days.starts))
    kinds = {m.column for m in wanted}
    exact = settings.dtw == "exact"
    sums, opened, closed = score_days(
        *sides,
        max_n=max(RULES[dialect].max_n for dialect in settings.dialects),
        beta=BETA,
        scale=1.0 / settings.cell_km,
        geobleu="geobleu" in settings.names,
        dtw_open=exact and "dtw_humob24" in kinds,
        dtw_closed=exact and "dtw_humob25" in kinds,
    )
    lengths = np.diff(days.starts)
    for metric in wanted:
        if metric.name == "geobleu":
            assert sums is not None
            result[metric.column] = combine(sums, lengths, lengths, RULES[metric.dialect])
        elif metric.name == "dtw":
            values = opened if metric.dialect == "humob24" else closed
            result[metric.column] = (
                fast_dtw_days(*sides, cells_per_km=1.0 / settings.cell_km)
                if values is None
                else values
            )
        else:
            km = days.apart() * settings.cell_km
            result[metric.column] = days.day_means(POINT_METRICS[metric.name].scores(km))
    return result


@dataclass(frozen=True)
class CellEvalTask:
    """The scores of some users' days, wherever they are computed.

    Attributes:
        settings: what to score, and how.
        name, truth: of the files.
        days: first and last day to score.
    """

    settings: CellEvalSettings
    name: str
    truth: str
    days: tuple[int, int]

    def open(self) -> Worker:
        """Nothing is to be loaded."""

        def work(group: tuple[pl.DataFrame, pl.DataFrame], moved: Moved) -> Done:
            p, t = (side.filter(pl.col("d").is_between(*self.days)) for side in group)
            past = group[1].filter(pl.col("d") < self.days[0])
            if self.settings.only_predicted_users:
                t = t.filter(pl.col("uid").is_in(p["uid"].unique().implode()))
            refuse_masked(p, self.name, "fill them with 'humobctl predict'")
            refuse_masked(t, self.truth, "the truth must be complete on the days to score")
            extra, missing = Mismatch(), Mismatch()
            aligned, coverage = align(p, t, extra, missing)
            if extra.count or (missing.count and not self.settings.allow_partial):
                detail = pl.DataFrame()
            else:
                detail = self._detail(aligned)
            users = detail["uid"].n_unique() if detail.height else 0
            moved(users)
            errors, groups = {}, {}
            if detail.height and self.settings.by:
                groups = tabulate_groups(
                    aligned,
                    detail,
                    past,
                    self.settings.by,
                    self.settings.metrics(),
                    cell_km=self.settings.cell_km,
                    first_day=self.days[0],
                    first_weekday=self.settings.first_weekday,
                )
            if detail.height and self.settings.with_errors:
                errors = tally_errors(aligned, past, self.days, self.settings.cell_km).record()
            tally = {
                "errors": errors,
                "groups": groups,
                "extra": (extra.count, extra.first),
                "missing": (missing.count, missing.first),
                "coverage": coverage.record(),
            }
            return Done(detail, tally, users)

        return work

    def _detail(self, aligned: AlignedDays) -> pl.DataFrame:
        """Table of file, uid, d, rows, and a column a metric."""
        if not len(aligned.uid):
            return pl.DataFrame()
        columns = score(aligned, self.settings)
        return pl.DataFrame(
            {"uid": aligned.uid, "d": aligned.d, "rows": np.diff(aligned.starts), **columns},
            schema_overrides={"uid": pl.UInt32, "d": pl.Int16, "rows": pl.UInt8},
        ).insert_column(0, pl.lit(self.name).alias("file"))


class Evaluator:
    """Scores several files against one truth; the truth is read once.

    Args:
        paths: of the predictions.
        truth: path of the true rows.
        settings: what to score, and how.
        long: how it is carried out; None for one part after another, in this process.
    """

    def __init__(
        self, paths: list[str], truth: str, settings: CellEvalSettings, long: LongRun | None = None
    ) -> None:
        self.paths, self.truth, self.settings = paths, truth, settings
        self._long = long or LongRun()
        self.evaluations: list[Evaluation] = []

    def run(self) -> Iterator[pl.DataFrame]:
        """Detail tables (file, uid, d, rows, a column a metric), group after group of users.

        ``evaluations`` holds the results once all of them were taken.

        Raises:
            HumobError: files that cannot be read, or that do not match.
        """
        with UserStore() as truth:
            truth.collect(iter_table(self.truth, on_error=self.settings.on_error))
            for path in self.paths:
                with UserStore() as predicted:
                    rows = iter_table(path, on_error=self.settings.on_error)
                    predicted.collect(add_days(rows, self.settings.shift_days, path))
                    yield from self._score_file(path, predicted, truth)

    def _score_file(
        self, path: str, predicted: UserStore, truth: UserStore
    ) -> Iterator[pl.DataFrame]:
        name = "stdin" if path == "-" else path
        days = self._days(name, predicted, truth)
        check_past(self.settings.by, days[0], truth.first_day, self.truth)
        extra, missing, coverage = Mismatch(), Mismatch(), Coverage()
        errors = ErrorTally()
        scored: list[pl.DataFrame] = []
        groups: list[dict[str, dict[str, list[Any]]]] = []
        user_days, seen_days = 0, (MAX_DAY, 0)
        work = CellEvalTask(self.settings, name, self.truth, days)
        with report.progress(f"scoring {name}", None, "users") as ticker:
            parts = user_parts([predicted, truth])
            for done in self._long.results(work, parts, dict, ticker.advance):
                extra.join(*done.tally["extra"])
                missing.join(*done.tally["missing"])
                coverage.add(done.tally["coverage"])
                errors.add(done.tally["errors"])
                if self._differ(extra, missing) or not done.frame.height:
                    continue
                detail = done.frame
                user_days += detail.height
                low, high = detail.select(low=pl.col("d").min(), high=pl.col("d").max()).row(0)
                seen_days = min(seen_days[0], low), max(seen_days[1], high)
                scored.append(_by_user(detail, self.settings.metrics()))
                groups += [done.tally["groups"]] if self.settings.by else []
                yield detail
        hint = ""
        if self._differ(extra, missing) or not scored:
            hint = likely_shift(*next(paired_groups([predicted, truth])))
        self._refuse_mismatch(name, extra, missing, coverage, hint)
        if not scored:
            raise HumobError(
                f"{name}: found no rows of days {days[0]}-{days[1]} in common with {self.truth}"
                f"{hint}"
            )
        users = pl.concat(scored).sort("uid")
        self.evaluations.append(
            Evaluation(
                name=name,
                metrics=self.settings.metrics(),
                users=users,
                days=(int(seen_days[0]), int(seen_days[1])),
                coverage=coverage,
                user_days=user_days,
                settings=self.settings,
                errors=errors,
                groups=gather_groups(groups, self.settings.metrics(), users["uid"]),
            )
        )

    def _days(self, name: str, predicted: UserStore, truth: UserStore) -> tuple[int, int]:
        """The days to score: as asked, or those predicted, or all of a truth without history."""
        if self.settings.days:
            return self.settings.days
        assert predicted.first_day is not None
        assert predicted.last_day is not None
        assert truth.first_day is not None
        assert truth.last_day is not None
        if truth.first_day >= predicted.first_day:
            return predicted.first_day, max(predicted.last_day, truth.last_day)
        if truth.last_day > predicted.last_day:
            report.warn(
                f"{name} ends on day {predicted.last_day}, {self.truth} on day {truth.last_day}: "
                "later days are not scored (--days sets the days to score)"
            )
        return predicted.first_day, predicted.last_day

    def _differ(self, extra: Mismatch, missing: Mismatch) -> bool:
        return bool(extra.count or (missing.count and not self.settings.allow_partial))

    def _refuse_mismatch(
        self, name: str, extra: Mismatch, missing: Mismatch, coverage: Coverage, hint: str
    ) -> None:
        if extra.count:
            lacking = f" and lacks {missing.count} of its" if missing.count else ""
            first = min(where for where in (extra.first, missing.first) if where is not None)
            raise HumobError(
                f"{name}: found {pluralize(extra.count, 'row')} that {self.truth} does not have"
                f"{lacking}, the first mismatch at (uid, d, t) = {first}, expected the same "
                f"rows in both; --generated compares other people with the truth{hint}"
            )
        if missing.count and not self.settings.allow_partial:
            others = ", --users predicted leaves out other users"
            others = "" if self.settings.only_predicted_users else others
            raise HumobError(
                f"{name}: found {coverage.rows:,} of {pluralize(coverage.expected_rows, 'row')} "
                f"({coverage.users:,} of {pluralize(coverage.expected_users, 'user')}) of "
                f"{self.truth}, the first missing at (uid, d, t) = {missing.first}, expected all "
                "of them; --allow-partial scores what is there" + others + hint
            )
        if missing.count:
            report.warn(
                f"{name} covers {coverage.rows:,} of {pluralize(coverage.expected_rows, 'row')}, "
                f"{coverage.users:,} of {pluralize(coverage.expected_users, 'user')}"
            )


def _by_user(detail: pl.DataFrame, wanted: list[Metric]) -> pl.DataFrame:
    """Means over each user's days; the order of summing is fixed, whatever the group."""
    uid = detail["uid"].to_numpy()
    begins = np.flatnonzero(np.diff(uid.astype(np.int64), prepend=-1))
    days = np.diff(np.append(begins, len(uid)))
    means = {m.column: np.add.reduceat(detail[m.column].to_numpy(), begins) / days for m in wanted}
    return pl.DataFrame(
        {"uid": uid[begins], "days": days, **means}, schema_overrides={"days": pl.UInt32}
    )
