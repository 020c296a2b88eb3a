"""From sessions to ranked places, whichever the model: user after user."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.data.sessions import SessionTable
from humobctl.errors import HumobError
from humobctl.native import Floats, Int64s
from humobctl.predict.next.city import survey_city
from humobctl.predict.next.data import NextRecords, Targets, as_sketched, gather
from humobctl.predict.next.evidence import weigh
from humobctl.predict.next.registry import build
from humobctl.predict.trained_rows import open_recognitions, warn_of_trained
from humobctl.tables.schemas import RANKED_NEXT_CELLS, RANKED_NEXT_PLACES, STEP_KEY, Table

_TOGETHER = 256
"""Records of a user that are predicted at a time."""
_OUTPUT_ROWS = 200_000


@dataclass(frozen=True)
class NextJob:
    """One prediction of next places.

    Attributes:
        model: name of the model, or a model dir.
        targets: which records of the sessions.
        rolling: whether earlier sessions of the table that is predicted are known, too.
        top_k: candidates a record.
        device: of models that run on torch.
    """

    model: str = "markov"
    targets: Targets = "next"
    rolling: bool = False
    top_k: int = 20
    device: str = "auto"


@dataclass
class NextTally:
    """What a run did."""

    users: int = 0
    records: int = 0
    without_candidates: int = 0


def ranked_table(table: SessionTable) -> Table:
    """The table that predictions of sessions go to."""
    return RANKED_NEXT_CELLS if table.of_cells else RANKED_NEXT_PLACES


def predict_next(
    table: SessionTable, histories: Sequence[SessionTable], job: NextJob, tally: NextTally
) -> Iterator[pl.DataFrame]:
    """Ranked places in order of user, session and record.

    Args:
        table: sessions whose records are predicted.
        histories: what is known before.
        job: what to do.
        tally: takes the counts of what was done.

    Raises:
        HumobError: there is nothing to predict, or the model does not fit.
    """
    records = gather(histories, table, job.targets)
    wanted = records.columns["target"]
    if not wanted.any():
        raise HumobError(
            f"{table.name}: found no record to predict, expected sessions of two records or more"
        )
    _warn_of_trained(table, records, job.model)
    known = records.columns["history"]
    city = survey_city(records, known)
    model = build(job.model, city, job.device)
    frames: list[pl.DataFrame] = []
    with report.progress("predicting", int(wanted.sum()), "records") as ticker:
        for user in records.users():
            tally.users += 1
            all_wanted = np.flatnonzero(user.target)
            for begin in range(0, len(all_wanted), _TOGETHER):
                part = all_wanted[begin : begin + _TOGETHER]
                found = weigh(user, part, city, rolling=job.rolling)
                p = model.probabilities(user, found)
                frames.append(_rank(found.candidates, p, user.row[part], job.top_k))
                tally.records += len(part)
                tally.without_candidates += int((found.candidates < 0).all(axis=1).sum())
                ticker.advance(len(part))
            if sum(frame.height for frame in frames) >= _OUTPUT_ROWS:
                yield _name(pl.concat(frames), table, records)
                frames = []
    if tally.without_candidates:
        report.warn(
            f"{table.name}: {pluralize(tally.without_candidates, 'record')} of "
            f"{tally.records:,} got no candidate: nothing is known before; see --history"
        )
    if frames:
        yield _name(pl.concat(frames), table, records)


def _warn_of_trained(table: SessionTable, records: NextRecords, model: str) -> None:
    """Say so where the model was trained on records that it is asked for."""
    recognitions = open_recognitions(model)
    if not recognitions:
        return
    asked = np.zeros(table.frame.height, np.bool_)
    asked[records.columns["row"][records.columns["target"]]] = True
    rows = as_sketched(table).with_columns(asked=pl.Series(asked))
    for one in recognitions:
        one.add(rows, pl.col("asked"))
    warn_of_trained(model, recognitions, "the train part of data split --task next alone")


def _rank(candidates: Int64s, p: Floats, row: Int64s, top_k: int) -> pl.DataFrame:
    """The most probable candidates of each record: row, rank, place and p."""
    p = np.where(candidates >= 0, p, -1.0)
    # Equal ones by their place: the order of candidates tells of records that are not known yet.
    order = np.lexsort((candidates, -p), axis=1)[:, :top_k]
    r, many = order.shape
    frame = pl.DataFrame(
        {
            "row": np.repeat(row, many),
            "rank": np.tile(np.arange(1, many + 1), r),
            "place": np.take_along_axis(candidates, order, axis=1).ravel(),
            "p": np.take_along_axis(p, order, axis=1).ravel(),
        }
    )
    return frame.filter(pl.col("place") >= 0)


def _name(ranked: pl.DataFrame, table: SessionTable, records: NextRecords) -> pl.DataFrame:
    """The predictions with the columns of their table."""
    when = ["d", "t"] if table.of_cells else ["datetime"]
    keys = table.frame.select(*STEP_KEY, *when).with_row_index("row")
    places = records.places.frame.with_row_index("place")
    named = (
        ranked.with_columns(pl.col("row").cast(pl.UInt32), pl.col("place").cast(pl.UInt32))
        .join(keys, on="row", how="left", maintain_order="left")
        .join(places, on="place", how="left", maintain_order="left")
    )
    kind = ranked_table(table)
    return named.select(pl.col(name).cast(dtype) for name, dtype in kind.dtypes.items())
