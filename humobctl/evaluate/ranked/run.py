"""Ranked candidates beside the true places: which rank and probability the true one has.

Two kinds of tables are scored: ranked cells of masked rows (uid, d, t), against a grid
trajectory, and ranked places or cells of next records (uid, session, step), against sessions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from humobctl import __version__
from humobctl.console.words import pluralize
from humobctl.data.importers.table_kind import columns_of
from humobctl.data.sessions import SessionOptions, moment_of, read_sessions
from humobctl.errors import HumobError
from humobctl.evaluate.breakdowns import Grouping
from humobctl.evaluate.ranked.metrics import (
    LEAST_P,
    RankedTargets,
    choose_metrics,
    user_sums,
)
from humobctl.io.read import read_table
from humobctl.io.row_errors import OnError
from humobctl.native import Bools, Floats
from humobctl.tables.schemas import (
    CELL_PROBABILITIES,
    GRID,
    MASKED,
    RANKED_CELLS,
    RANKED_NEXT_CELLS,
    RANKED_NEXT_PLACES,
    STEP_KEY,
    Table,
)


@dataclass(frozen=True)
class RankedEvalSettings:
    """What to score, and how.

    Attributes:
        names: metrics; None for the usual ones.
        by: breakdowns.
        allow_partial: score what was predicted of the truth.
        only_predicted_users: leave out users of the truth that were not predicted at all.
        first_weekday: of day 0 of cells; 0 is Sunday.
        on_error: stop at the first bad row, or drop bad rows.
    """

    names: tuple[str, ...] | None = None
    by: tuple[str, ...] = ()
    allow_partial: bool = False
    only_predicted_users: bool = False
    first_weekday: int = 0
    on_error: OnError = "fail"


@dataclass(frozen=True)
class TruthTable:
    """The true places.

    Attributes:
        name: of the file.
        frame: key, place, and ``at``, microseconds of each row.
        key: columns that name a row.
        place: columns that name a place.
        past: uid, place and ``at`` of what was known before; None where it is not known.
    """

    name: str
    frame: pl.DataFrame
    key: tuple[str, ...]
    place: tuple[str, ...]
    past: pl.DataFrame | None


@dataclass(frozen=True)
class RankedEvaluation:
    """Scores of one file.

    Attributes:
        name: of the file.
        names: metrics.
        uids: users that are scored, in order.
        targets: what was ranked; users are numbered in the order of ``uids``.
        expected: number of targets of the truth.
        chosen: which of the truth's records are scored: next, last or all; masked; partial.
        listed: candidates of the longest list.
        groups: of each breakdown, groups and which targets are in each.
        seeds: the files of which this is the mean, if of several.
    """

    name: str
    names: tuple[str, ...]
    uids: pl.Series
    targets: RankedTargets
    keys: pl.DataFrame
    expected: int
    chosen: str
    listed: int
    groups: dict[str, dict[str, Bools]] = field(default_factory=dict)
    seeds: tuple[RankedEvaluation, ...] = ()

    def sums(self, chosen: Bools | None = None) -> Floats:
        """Sums over each user's targets, or some of them: ``user_sums``, (seeds, users, ...)."""
        if self.seeds:
            return np.concatenate([one.sums(chosen) for one in self.seeds])
        targets = self.targets
        if chosen is not None:
            targets = RankedTargets(**{name: one[chosen] for name, one in vars(targets).items()})
        return user_sums(targets, self.names, len(self.uids))[None]

    def signature(self, name: str) -> str:
        """Every setting that changes the value, in the manner of sacrebleu."""
        parts = [name, f"targets:{self.chosen}", f"n:{len(self.targets.user)}"]
        parts += [f"users:{len(self.uids)}", f"list:{self.listed}"]
        if self.seeds:
            parts.append(f"seeds:{len(self.seeds)}")
        if name == "nll":
            parts.append(f"least:{LEAST_P:g}")
        if name == "ece":
            parts.append("bins:10")
        return "|".join([*parts, f"v:{__version__}"])


def is_ranked(path: str) -> bool:
    """Whether a file holds ranked candidates, or whole distributions of masked rows."""
    columns = columns_of(path)
    return {"uid", "rank", "p"} <= columns or set(CELL_PROBABILITIES.columns) <= columns


def evaluate_ranked(
    paths: Sequence[str], truth: str, histories: Sequence[str], settings: RankedEvalSettings
) -> list[RankedEvaluation]:
    """Scores of files of ranked candidates.

    Args:
        paths: of the files.
        truth: path of the true places.
        histories: what was known before, for breakdowns by users' past.
        settings: what to score, and how.

    Raises:
        HumobError: a file cannot be read, or does not match the truth.
        UsageError: metrics or breakdowns that these files do not have.
    """
    found: list[RankedEvaluation] = []
    true: TruthTable | None = None
    for path in paths:
        ranked, table = _read_lists(path, settings.on_error)
        name = "stdin" if path == "-" else path
        _check_lists(ranked, table, name)
        true = true or _read_truth(truth, histories, ranked, table, settings)
        if table.key[:-1] != true.key:
            raise HumobError(f"{name}: found another kind of ranks than in {paths[0]}")
        found.append(_evaluate(ranked, true, name, settings))
    return found


def _read_lists(path: str, on_error: OnError) -> tuple[pl.DataFrame, Table]:
    """Ranked candidates and their table; cells of whole distributions are ranked by p."""
    columns = columns_of(path)
    if "session" in columns:
        table = RANKED_NEXT_PLACES if "place_id" in columns else RANKED_NEXT_CELLS
        return read_table(path, table, on_error=on_error), table
    if "rank" in columns:
        return read_table(path, RANKED_CELLS, on_error=on_error), RANKED_CELLS
    cells = read_table(path, CELL_PROBABILITIES, on_error=on_error).drop_nulls("x")
    rank = pl.col("p").rank("ordinal", descending=True).over("uid", "d", "t")
    return cells.with_columns(rank=rank.cast(pl.UInt16)), RANKED_CELLS


def _place(table: Table) -> tuple[str, ...]:
    return ("place_id",) if table is RANKED_NEXT_PLACES else ("x", "y")


def _check_lists(ranked: pl.DataFrame, table: Table, name: str) -> None:
    """Refuse lists with gaps in their ranks, places that come twice, and more than all of p.

    Raises:
        HumobError: names the first one.
    """
    key, place = list(table.key[:-1]), pl.struct(_place(table))
    lists = ranked.group_by(key, maintain_order=True).agg(
        most=pl.col("rank").max(), many=pl.len(), places=place.n_unique(), p=pl.col("p").sum()
    )
    for wrong, found, expected in (
        (pl.col("most") != pl.col("many"), "a gap in the ranks", "ranks 1, 2, 3, ..."),
        (pl.col("places") < pl.col("many"), "a place twice", "each place once"),
        (pl.col("p") > 1 + 1e-6, "probabilities that sum to more than 1", "1 at most"),
    ):
        bad = lists.filter(wrong)
        if bad.height:
            raise HumobError(
                f"{name}: found {found} for ({', '.join(key)}) = {bad.select(key).row(0)}, "
                f"expected {expected}"
            )


def _read_truth(
    path: str,
    histories: Sequence[str],
    ranked: pl.DataFrame,
    table: Table,
    settings: RankedEvalSettings,
) -> TruthTable:
    name = "stdin" if path == "-" else path
    place = _place(table)
    reading = SessionOptions(on_error=settings.on_error)
    earlier = [read_sessions(one, reading) for one in histories]
    past = [one.frame.select("uid", *place, at=one.moment) for one in earlier]
    if table is not RANKED_CELLS:
        sessions = read_sessions(path, reading)
        if tuple(sessions.place) != place:
            raise HumobError(
                f"{name}: found {' and '.join(sessions.place)}, expected {' and '.join(place)} as "
                "in the predictions"
            )
        frame = sessions.frame.select(*STEP_KEY, *place, at=sessions.moment)
        return TruthTable(name, frame, STEP_KEY, place, pl.concat(past) if past else None)
    rows = read_table(path, GRID, on_error=settings.on_error).filter(pl.col("x") != MASKED)
    low, high = ranked.select(low=pl.col("d").min(), high=pl.col("d").max()).row(0)
    scored = rows.filter(pl.col("d").is_between(low, high))
    at = moment_of(of_cells=True)
    past.append(rows.filter(pl.col("d") < low).select("uid", *place, at=at))
    frame = scored.select("uid", "d", "t", *place, at=at)
    known = pl.concat(past)
    return TruthTable(name, frame, ("uid", "d", "t"), place, known if known.height else None)


_OF_SESSIONS = ": the test part of 'data split --task next'"


def _evaluate(
    ranked: pl.DataFrame, truth: TruthTable, name: str, settings: RankedEvalSettings
) -> RankedEvaluation:
    key = list(truth.key)
    lists = ranked.sort(*key, "rank").group_by(key, maintain_order=True)
    summed = lists.agg(first=pl.col("p").first(), squares=(pl.col("p") ** 2).sum())
    hits = ranked.join(truth.frame, on=[*key, *truth.place], how="semi").select(*key, "rank", "p")
    rows = truth.frame
    if settings.only_predicted_users:
        rows = rows.join(summed.select("uid").unique(), on="uid", how="semi")
    extra = summed.join(rows, on=key, how="anti")
    if extra.height:
        raise HumobError(
            f"{name}: found {pluralize(extra.height, 'list')} of records that {truth.name} does "
            f"not have, the first ({', '.join(key)}) = {extra.select(key).row(0)}, expected the "
            "truth of these records" + _OF_SESSIONS * ("session" in key)
        )
    found = rows.join(summed, on=key, how="inner").join(hits, on=key, how="left").sort(key)
    chosen, expected = _chosen(found, rows, truth, name, settings)
    uids = found["uid"].unique(maintain_order=True)
    targets = RankedTargets(
        user=found["uid"].rle_id().to_numpy().astype(np.int64),
        rank=found["rank"].fill_null(0).to_numpy().astype(np.int64),
        p=found["p"].fill_null(0.0).to_numpy(),
        first=found["first"].to_numpy(),
        squares=found["squares"].to_numpy(),
    )
    listed = int(ranked["rank"].max())  # type: ignore[arg-type]
    names = choose_metrics(settings.names, listed)
    grouping = _grouping(found, truth, settings.first_weekday)
    groups = {by: grouping.masks(by, found) for by in settings.by}
    return RankedEvaluation(
        name, names, uids, targets, found.select(key), expected, chosen, listed, groups
    )


def _chosen(
    found: pl.DataFrame,
    rows: pl.DataFrame,
    truth: TruthTable,
    name: str,
    settings: RankedEvalSettings,
) -> tuple[str, int]:
    """Which records of the truth were predicted, in a word, and how many these are in the truth.

    Raises:
        HumobError: some of them are missing, and may not.
    """
    if truth.key != STEP_KEY:
        kinds = {"masked": pl.lit(value=True)}
    else:
        last = pl.col("step") == pl.col("step").max().over("uid", "session")
        kinds = {"next": pl.col("step") > 0, "last": last & (pl.col("step") > 0)}
        kinds["all"] = pl.lit(value=True)
    counts = {}
    for kind, wanted in kinds.items():
        expected = rows.filter(wanted)
        counts[kind] = expected.height
        if (
            found.height == expected.height
            and found.join(expected, on=list(truth.key), how="anti").is_empty()
        ):
            return kind, expected.height
    usual = next(iter(kinds))
    if not settings.allow_partial:
        others = ", --users predicted leaves out other users"
        others = "" if settings.only_predicted_users else others
        raise HumobError(
            f"{name}: found lists for {pluralize(found.height, 'record')}, expected "
            f"{', '.join(f'{many:,} ({kind})' for kind, many in counts.items())} of {truth.name}; "
            f"--allow-partial scores what is there{others}"
        )
    return "partial", counts[usual]


def _grouping(found: pl.DataFrame, truth: TruthTable, first_weekday: int) -> Grouping:
    masked = truth.key != STEP_KEY
    return Grouping(
        truth.place,
        truth.past,
        int(found["d"].min()) if masked and found.height else None,  # type: ignore[arg-type]
        first_weekday if "x" in truth.place else 0,
    )
