"""Predict the masked cells of trajectories with any model, user after user."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.errors import HumobError
from humobctl.execution.run import LongRun
from humobctl.execution.side_table import SideTable, pack, unpack
from humobctl.execution.task import (
    PART_ROWS,
    Done,
    Moved,
    Tally,
    Worker,
    mark_of,
    user_parts,
)
from humobctl.io.by_user import UserStore, paired_groups
from humobctl.io.read import iter_table
from humobctl.io.row_errors import OnError
from humobctl.io.run_record import fingerprint_of
from humobctl.native import Bools, Int32s, Int64s
from humobctl.predict.base import (
    PredictOptions,
    Predictor,
    SlotDistributions,
    UserHistory,
    distributions,
)
from humobctl.predict.city_profile import CityCounter, CityProfile
from humobctl.predict.decode_days.config import DEFAULTS, THOROUGH, DayConfig
from humobctl.predict.decode_days.run import decode_user
from humobctl.predict.decode_slots import WHOLE_DAYS, Decode, decode
from humobctl.predict.probabilities import learn_from_past, list_cells, rank_cells, spare_new
from humobctl.predict.registry import MODELS, build, check_name, on_torch, tell_use
from humobctl.predict.trained_rows import open_recognitions, warn_of_trained
from humobctl.tables.schemas import CELL_PROBABILITIES, GRID, MASKED, RANKED_CELLS, Table


@dataclass(frozen=True)
class Targets:
    """Which rows are to be predicted: the masked ones, or all of a range of days.

    Attributes:
        days: first and last day; None for the masked rows.
        use_future: whether a model may look at days after the last one, to fill a gap from both
            sides; of masked rows it sees all others anyway.
    """

    days: tuple[int, int] | None = None
    use_future: bool = False

    def mask(self) -> pl.Expr:
        """True for a row to predict."""
        if self.days is None:
            return pl.col("x") == MASKED
        return pl.col("d").is_between(*self.days)

    def of(self, batch: pl.DataFrame) -> pl.DataFrame:
        """The rows to predict."""
        return batch.filter(self.mask())

    def later(self) -> pl.Expr:
        """True for a row that lies in the future of what is to be predicted, and is not read."""
        if self.days is None or self.use_future:
            return pl.lit(value=False)
        return pl.col("d") > self.days[1]

    def known_mask(self) -> pl.Expr:
        """True for a row a model may look at."""
        return ~self.mask() & ~self.later() & (pl.col("x") != MASKED)


@dataclass(frozen=True)
class PredictJob:
    """One prediction run.

    Attributes:
        model: name of the model.
        decode: how a distribution becomes a cell.
        weight: of GEO-BLEU against DTW in ``decode`` day; None for the model's own.
        targets: what to predict.
        full: write all rows, not only the predicted ones.
        options: settings that some models use.
        first_weekday: of day 0; 0 is Sunday.
        calendar: days off; None to infer them.
        top_k: candidate cells to write for each row, with their probabilities; None for one cell.
        probabilities: whether the whole distributions are wanted beside what is written.
    """

    model: str = "history"
    decode: Decode = "day"
    weight: float | None = None
    targets: Targets = Targets()
    full: bool = False
    options: PredictOptions = field(default_factory=PredictOptions)
    first_weekday: int = 0
    calendar: pl.DataFrame | None = None
    on_error: OnError = "fail"
    top_k: int | None = None
    probabilities: bool = False

    @property
    def table(self) -> Table:
        """What is written."""
        return GRID if self.top_k is None else RANKED_CELLS


@dataclass
class PredictTally(Tally):
    """Counts of a run."""

    users: int = 0
    rows: int = 0
    without_history: int = 0


@dataclass(frozen=True)
class PredictTask:
    """The prediction of some users' rows, wherever it is done.

    Attributes:
        job: what to do.
        city: what all users show together.
    """

    job: PredictJob
    city: CityProfile

    @property
    def device(self) -> str:
        """Device of models that are built on torch."""
        return self.job.options.device if on_torch(self.job.model) else "cpu"

    def open(self) -> Worker:
        """Build the model."""
        model = build(self.job.model, self.city, self.job.options)

        def work(group: pl.DataFrame, moved: Moved) -> Done:
            tally, before, job = PredictTally(), 0, self.job
            frames = [pl.DataFrame(schema=job.table.dtypes)]
            empty = pl.DataFrame(schema=CELL_PROBABILITIES.dtypes)
            whole = [empty] if job.probabilities else None
            for frame in predict_group(group, model, self.city, job, tally, whole):
                frames.append(frame)
                moved(tally.rows - before)
                before = tally.rows
            found = pl.concat(frames)
            if whole is not None:
                found = pack({job.table.name: found, CELL_PROBABILITIES.name: pl.concat(whole)})
            return Done(found, tally.record(), tally.rows)

        return work


def predict(
    path: str | None,
    job: PredictJob,
    tally: PredictTally,
    run: LongRun | None = None,
    beside: SideTable | None = None,
) -> Iterator[pl.DataFrame]:
    """Predicted rows in order of (uid, d, t), part after part of the users.

    Args:
        path: a grid trajectory; None or ``-`` for standard input.
        job: what to do.
        tally: takes the counts of what was done.
        run: how it is carried out; None for one part after another, in this process.
        beside: takes the whole distributions, where ``job`` wants them.

    Raises:
        HumobError: the input cannot be read, or has nothing to predict or nothing known.
    """
    if job.options.prompting.base_url is None:
        check_name(job.model)
    with UserStore() as store:
        store.collect(iter_table(path, on_error=job.on_error))
        city, rows = survey(store, job, "stdin" if path in (None, "-") else str(path))
        tell_use(job.model, city, job.options)
        with report.progress("predicting", rows, "rows") as ticker:
            results = (run or LongRun()).results(
                PredictTask(job, city),
                parts=user_parts([store], _WHOLE_ROWS if job.probabilities else PART_ROWS),
                about=lambda: about(job, city, rows),
                moved=ticker.advance,
            )
            for done in results:
                tally.add(done.tally)
                if beside is None:
                    yield done.frame
                    continue
                tables = unpack(done.frame)
                beside.add(tables[CELL_PROBABILITIES.name])
                yield tables[job.table.name]
    if tally.without_history:
        report.warn(
            f"{tally.without_history:,} of {pluralize(tally.users, 'user')} without a known cell: "
            "they get the city's most frequented cells"
        )


def about(job: PredictJob, city: CityProfile, rows: int) -> dict[str, Any]:
    """Everything that a prediction depends on."""
    settings = asdict(job)
    options = settings.pop("options")
    for name in ("journal", "concurrency"):  # they change nothing in the result
        options["prompting"].pop(name)
    settings.pop("calendar")
    values = (city.weekday, city.off, city.holiday, city.cells, city.slot_p)
    return {
        "command": "predict",
        "settings": {**settings, **options},
        "model files": _digests(job),
        "data": f"{rows} rows to predict, city {mark_of(values)}",
    }


def _digests(job: PredictJob) -> list[str]:
    """Digests of the files of the model and of its base, where these are here."""
    names = (job.model, job.options.prompting.base)
    return [
        fingerprint_of(name)
        for name in names
        if name and name not in MODELS and Path(name).exists()
    ]


def survey(store: UserStore, job: PredictJob, name: str) -> tuple[CityProfile, int]:
    """The city that the known rows show, and the number of rows to predict."""
    assert store.last_day is not None
    counter = CityCounter(store.last_day + 1, job.first_weekday)
    wanted = known = later = 0
    recognitions = [] if job.options.prompting.base_url else open_recognitions(job.model)
    with report.progress("surveying", store.rows, "rows") as ticker:
        for (group,) in paired_groups([store]):
            rows = group.filter(job.targets.known_mask())
            counter.add(rows)
            known += rows.height
            wanted += job.targets.of(group).height
            later += group.filter(job.targets.later()).height
            for recognition in recognitions:
                recognition.add(group, job.targets.mask())
            ticker.advance(group.height)
    if not wanted:
        raise HumobError(
            f"{name}: found no row to predict, expected masked rows ({MASKED}) or the days of "
            "--from-day"
        )
    if not known:
        raise HumobError(f"{name}: found no known cell, expected some to predict from")
    if later and job.targets.days is not None:
        report.info(
            f"{name}: did not read {pluralize(later, 'row')} after day {job.targets.days[1]}, the "
            "future of what is predicted; --use-future reads them, to fill a gap from both sides"
        )
    warn_of_trained(job.model, recognitions)
    city = counter.city(job.calendar)
    if job.top_k is not None or job.probabilities:
        known_rows = (group.filter(job.targets.known_mask()) for (group,) in paired_groups([store]))
        city = replace(city, new_cells=learn_from_past(known_rows, city, job.calendar))
    return city, wanted


_WHOLE_ROWS = 25_000
"""Rows of a part whose whole distributions are wanted: hundreds of cells for each."""
_OUTPUT_ROWS = 5_000  # a few users: a bar that moves every quarter of a second


def predict_group(
    group: pl.DataFrame,
    model: Predictor,
    city: CityProfile,
    job: PredictJob,
    tally: PredictTally,
    whole: list[pl.DataFrame] | None = None,
) -> Iterator[pl.DataFrame]:
    """Predict the targets of a sorted group; yields regularly, so that a progress bar can move.

    Whole distributions are added to ``whole``, where that is a list.
    """
    if not group.height:
        return
    columns = {name: group[name].to_numpy().astype(np.int64) for name in GRID.columns}
    target, known = _roles(group, job.targets)
    ranked: list[pl.DataFrame] = []
    filled_x, filled_y = columns["x"].copy(), columns["y"].copy()
    begins = np.flatnonzero(np.diff(columns["uid"], prepend=-1))
    ends = [*begins[1:].tolist(), group.height]
    written = 0
    spans = [slice(*span) for span in zip(begins.tolist(), ends, strict=True)]
    asked = (
        (here, _user(columns, here, known[here], target[here]) if target[here].any() else None)
        for here in spans
    )
    for here, user, dist in _with_distributions(asked, model):
        end = here.stop
        if user is not None and dist is not None:
            wanted = target[here]
            if job.top_k is not None or whole is not None:
                honest = spare_new(user, dist, city, model)
            if whole is not None:
                whole.append(list_cells(user, honest))
            if job.top_k is not None:
                ranked.append(rank_cells(user, honest, job.top_k))
            else:
                cells = choose_cells(user, dist, city, model, job)
                filled_x[here][wanted], filled_y[here][wanted] = cells[:, 0], cells[:, 1]
            tally.users += 1
            tally.rows += int(wanted.sum())
            tally.without_history += not len(user.d)
        if end - written >= _OUTPUT_ROWS or end == group.height:
            part = slice(written, end)
            if job.top_k is None:
                yield _rows(group, part, filled_x, filled_y, None if job.full else target[part])
            elif ranked:
                yield pl.concat(ranked)
            ranked, written = [], end


_Asked = tuple[slice, UserHistory | None]


def _with_distributions(
    asked: Iterable[_Asked], model: Predictor
) -> Iterator[tuple[slice, UserHistory | None, SlotDistributions | None]]:
    """Users with their distributions, as many at a time as the model likes."""
    together = getattr(model, "batch_users", 1)
    waiting = iter(asked)
    while batch := list(itertools.islice(waiting, together)):
        users = [user for _, user in batch if user is not None]
        found = iter(distributions(model, users))
        for here, user in batch:
            yield here, user, next(found) if user is not None else None


def choose_cells(
    user: UserHistory, dist: SlotDistributions, city: CityProfile, model: Predictor, job: PredictJob
) -> Int32s:
    """The cells of a user's target rows, shape (r, 2), by the job's decoder."""
    if job.decode in WHOLE_DAYS:
        return decode_user(user, city, dist, day_config(model, job))
    seed = (job.options.seed, user.uid)
    return decode(dist, job.decode, top_p=job.options.top_p, seed=seed)


def day_config(model: Predictor, job: PredictJob) -> DayConfig:
    """Settings of the day decoder: the model's own, with the seed and weight asked for."""
    days: DayConfig = replace(getattr(model, "days", DEFAULTS), seed=job.options.seed)
    if job.decode == "thorough":
        days = replace(days, **THOROUGH)
    return days if job.weight is None else replace(days, weight=job.weight)


def _user(
    columns: dict[str, Int64s], here: slice, known: np.ndarray, wanted: np.ndarray
) -> UserHistory:
    uid, d, t, x, y = (columns[name][here] for name in GRID.columns)
    return UserHistory(int(uid[0]), d[known], t[known], x[known], y[known], d[wanted], t[wanted])


def user_of(rows: pl.DataFrame, targets: Targets) -> UserHistory:
    """One user's sorted rows as what is known and what is to be predicted."""
    columns = {name: rows[name].to_numpy().astype(np.int64) for name in GRID.columns}
    wanted, known = _roles(rows, targets)
    return _user(columns, slice(None), known, wanted)


def _roles(rows: pl.DataFrame, targets: Targets) -> tuple[Bools, Bools]:
    """Whether each row is to be predicted, and whether a model may look at it."""
    both = rows.select(target=targets.mask(), known=targets.known_mask())
    return both["target"].to_numpy(), both["known"].to_numpy()


def _rows(
    group: pl.DataFrame, part: slice, x: Int64s, y: Int64s, keep: np.ndarray | None
) -> pl.DataFrame:
    rows = group[part].with_columns(
        x=pl.Series(x[part], dtype=pl.Int16), y=pl.Series(y[part], dtype=pl.Int16)
    )
    return rows if keep is None else rows.filter(keep)
