"""From trajectories to vectors, in batches of users of like lengths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from humobctl import report
from humobctl.data.faults import OnError
from humobctl.data.reading import iter_table
from humobctl.data.schemas import EMBEDDING_SIZE, MASKED
from humobctl.data.users import UserStore, paired_groups
from humobctl.embeddings.files import Embeddings, table
from humobctl.errors import HumobError, UsageError
from humobctl.models.embedder.run import Trained
from humobctl.models.embedder.windows import Rows, by_length
from humobctl.native import Int64s

PIECE_ROWS = 2048
"""Rows that go through the network at once; longer users are cut into pieces of like length."""
BATCH_ROWS = 1 << 14


@dataclass(frozen=True)
class Asked:
    """How to embed.

    Attributes:
        first_weekday: of day 0; 0 is Sunday.
        precision: fp32 or bf16.
        batch_rows: rows of a batch, padding included.
        on_error: stop at the first bad row, or drop bad rows.
        days: first and last day to look at; None for all.
    """

    first_weekday: int = 0
    precision: str = "fp32"
    batch_rows: int = BATCH_ROWS
    on_error: OnError = "fail"
    days: tuple[int, int] | None = None


def embed(path: str, name: str, trained: Trained, asked: Asked) -> Iterator[pl.DataFrame]:
    """Embeddings of a grid trajectory, one group of users after another, in user order.

    Args:
        path: the file; ``-`` for standard input.
        name: of its city; one the model does not know is embedded as a city that is not said.
        trained: the model.
        asked: how.

    Raises:
        HumobError: the file cannot be read, or has no known cell.
    """
    title = "stdin" if path == "-" else path
    city = 1 + trained.cities.index(name) if name in trained.cities else 0
    known = pl.col("x") != MASKED
    if asked.days is not None:
        known &= pl.col("d").is_between(*asked.days)
    done = 0
    with UserStore() as store:
        store.collect(iter_table(path, on_error=asked.on_error))
        with report.progress(f"embedding {title}", store.rows, "rows") as ticker:
            for (group,) in paired_groups([store]):
                kept = group.filter(known)
                if not kept.height:
                    continue
                with Rows(asked.first_weekday) as rows:
                    rows.add(kept, city)
                    rows.close_columns()
                    vectors = embed_rows(rows, trained, asked, ticker)
                    done += len(rows.uid)
                    yield table(Embeddings(title, rows.uid, vectors, np.full(len(vectors), name)))
    if not done:
        raise HumobError(f"{title}: found no known cell, expected some to embed")


def embed_rows(
    rows: Rows, trained: Trained, asked: Asked, ticker: report.Ticker | None = None
) -> NDArray[np.float32]:
    """Vectors of all users of some columns, (u, E).

    Users with more than ``PIECE_ROWS`` rows go in pieces, of which the mean is taken by rows.
    """
    numbers = [
        np.arange(low, high) for low, high in zip(rows.starts[:-1], rows.starts[1:], strict=True)
    ]
    return embed_parts(rows, numbers, rows.city, trained, asked, ticker)


@torch.no_grad()
def embed_parts(
    rows: Rows,
    parts: Sequence[Int64s],
    city: Int64s,
    trained: Trained,
    asked: Asked,
    ticker: report.Ticker | None = None,
) -> NDArray[np.float32]:
    """Vectors of parts of users' rows, (p, E).

    Args:
        rows: the columns.
        parts: numbers of rows in ascending order, at least one of each part, (p,) of them.
        city: number of each part's city, (p,).
        trained: the model.
        asked: how.
        ticker: is told of finished rows.
    """
    lengths = np.array([len(part) for part in parts])
    pieces = np.maximum(1, -(-lengths // PIECE_ROWS))
    user = np.repeat(np.arange(len(lengths)), pieces)
    number = np.arange(len(user)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    begin = number * lengths[user] // pieces[user]
    end = (number + 1) * lengths[user] // pieces[user]
    sums = np.zeros((len(lengths), EMBEDDING_SIZE), np.float64)
    device = next(trained.encoder.parameters()).device
    for batch in by_length(end - begin, asked.batch_rows):
        numbers = [parts[user[one]][begin[one] : end[one]] for one in batch.tolist()]
        spans = rows.spans(numbers, city[user[batch]]).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=asked.precision == "bf16"):
            found = trained.encoder(spans).double().cpu().numpy()
        weights = (end - begin)[batch]
        np.add.at(sums, user[batch], found * weights[:, None])
        if ticker is not None:
            ticker.advance(int(weights.sum()))
    sums /= np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return sums.astype(np.float32)


def check_city(name: str | None, trained: Trained) -> None:
    """Refuse a name of a city that the model does not know.

    Raises:
        UsageError: it was not trained on it.
    """
    if name is not None and name not in trained.cities:
        raise UsageError(
            f"--city: found {name!r}, expected one of {', '.join(trained.cities)}, which "
            f"{Path(trained.name).name} was trained on"
        )
