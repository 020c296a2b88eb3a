"""Trained embedders, and from trajectories to vectors in batches of users of like lengths."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from humobctl.console import report
from humobctl.embed.anchors import LEARNT, count_spans
from humobctl.embed.config import TYPE, EmbedderSettings
from humobctl.embed.data import TOGETHER, EmbedderColumns, by_length, padded_length
from humobctl.embed.model import Encoder
from humobctl.embed.vectors import UserEmbeddings, table
from humobctl.errors import HumobError, UsageError
from humobctl.execution.run import LongRun
from humobctl.execution.task import Done, Moved, TaskPart, Worker, user_parts
from humobctl.io.by_user import UserStore
from humobctl.io.read import iter_table
from humobctl.io.row_errors import OnError
from humobctl.io.run_record import fingerprint_of
from humobctl.native import Int64s
from humobctl.tables.schemas import EMBEDDING_SIZE, MASKED
from humobctl.training.device import choose_precision, set_up_torch, side_by_side, torch_device
from humobctl.training.model_dir import build_checked, clear_damage, load
from humobctl.training.settings import from_record

PIECE_ROWS = 2048
"""Rows that go through the network at once; longer users are cut into pieces of like length."""
BATCH_ROWS = 1 << 14
SEEN = "seen."
"""Prefix of the arrays of users that a training saw, by number of their city."""


@dataclass(frozen=True)
class TrainedEmbedder:
    """A trained embedder.

    Attributes:
        name: its folder.
        settings: of its training.
        cities: names of the cities it was trained on.
        encoder: on its device.
        seen: users of each city that were trained or validated on.
        fingerprints: of the cities' files.
        device: as it was asked for.
    """

    name: str
    settings: EmbedderSettings
    cities: list[str]
    encoder: Encoder
    seen: list[Int64s]
    fingerprints: list[str]
    device: str = "auto"

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        """Another process loads it from its folder."""
        return load_embedder, (self.name, self.device)

    def users_seen(self, name: str, fingerprint: str) -> Int64s | None:
        """Users of a city that the training saw; None for a city of another name and file."""
        number = self.number_of(name, fingerprint)
        return None if number is None else self.seen[number]

    def number_of(self, name: str, fingerprint: str) -> int | None:
        """Place of a city among those of the training, by its name or file; None for another."""
        for number, known in enumerate(self.cities):
            if known == name or self.fingerprints[number] == fingerprint:
                return number
        return None


def load_embedder(folder: str, device: str = "auto") -> TrainedEmbedder:
    """Load a model.

    Raises:
        HumobError: there is no whole model of this type.
        UsageError: there is no such device.
    """
    found = load(folder, type=TYPE)
    with clear_damage(folder):
        settings = from_record(EmbedderSettings, found.config["settings"])
        cities = [str(name) for name in found.config["cities"]]
        mine = "encoder."
        learnt = len(found.arrays["encoder.out.bias"])
        if learnt not in (LEARNT, EMBEDDING_SIZE):
            raise HumobError(
                f"{folder}: found {learnt} learnt numbers, expected {LEARNT} or {EMBEDDING_SIZE}"
            )
        make = functools.partial(Encoder, settings, len(cities), learnt)
        encoder = build_checked(folder, settings.blocks, make, mine)
        encoder.load_state_dict(
            {
                name.removeprefix(mine): torch.from_numpy(array)
                for name, array in found.arrays.items()
                if name.startswith(mine)
            }
        )
        seen = [found.arrays[f"{SEEN}{n}"].astype(np.int64) for n in range(1, 1 + len(cities))]
        marks = [str(city["fingerprint"]) for city in found.run["cities"]]
    encoder = encoder.to(torch_device(device)).eval()
    return TrainedEmbedder(folder, settings, cities, encoder, seen, marks, device)


@dataclass(frozen=True)
class EmbedOptions:
    """How to embed.

    Attributes:
        first_weekday: of day 0; 0 is Sunday.
        precision: auto, fp32 or bf16.
        batch_rows: rows of a batch, padding included.
        on_error: stop at the first bad row, or drop bad rows.
        days: first and last day to look at; None for all.
    """

    first_weekday: int = 0
    precision: str = "fp32"
    batch_rows: int = BATCH_ROWS
    on_error: OnError = "fail"
    days: tuple[int, int] | None = None


@dataclass(frozen=True)
class EmbedTask:
    """The vectors of some users, wherever they are computed.

    Attributes:
        trained: the model.
        asked: how.
        titles: of the files.
        names: of their cities; one the model does not know is embedded as a city that is not said.
    """

    trained: TrainedEmbedder
    asked: EmbedOptions
    titles: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def device(self) -> str:
        """Where to run."""
        return self.trained.device

    def open(self) -> Worker:
        """Threads and seed; the model is loaded."""
        set_up_torch(0)

        def work(payload: tuple[int, pl.DataFrame], moved: Moved) -> Done:
            number, kept = payload
            name, known = self.names[number], self.trained.cities
            with EmbedderColumns(self.asked.first_weekday) as rows:
                rows.add(kept, 1 + known.index(name) if name in known else 0)
                rows.close_columns()
                vectors = embed_rows(rows, self.trained, self.asked, moved)
                city = np.full(len(vectors), name)
                frame = table(UserEmbeddings(self.titles[number], rows.uid.copy(), vectors, city))
            return Done(frame, {"users": frame.height}, kept.height)

        return work

    def about(self) -> dict[str, Any]:
        """Everything besides the rows that the vectors depend on."""
        return {
            "command": "embed",
            "settings": {**asdict(self.asked), "cities": list(self.names)},
            "model": fingerprint_of(self.trained.name),
        }


def embed(
    paths: Sequence[str],
    names: Sequence[str],
    trained: TrainedEmbedder,
    asked: EmbedOptions,
    long: LongRun | None = None,
) -> Iterator[pl.DataFrame]:
    """Embeddings of grid trajectories, file after file, one part of users after another.

    Args:
        paths: the files; ``-`` for standard input.
        names: of their cities.
        trained: the model.
        asked: how.
        long: how it is carried out; None for one part after another, in this process.

    Raises:
        HumobError: a file cannot be read, or has no known cell.
    """
    titles = tuple("stdin" if path == "-" else path for path in paths)
    precision = choose_precision(asked.precision, torch_device(trained.device))
    work = EmbedTask(trained, replace(asked, precision=precision), titles, tuple(names))
    with report.progress("embedding", 0, "rows") as ticker:
        parts = _parts(paths, work, ticker)
        for done in (long or LongRun()).results(work, parts, work.about, ticker.advance):
            yield done.frame


def _parts(paths: Sequence[str], work: EmbedTask, ticker: report.Ticker) -> Iterator[TaskPart]:
    """The known rows of some users at a time: (number of the file, rows)."""
    known = pl.col("x") != MASKED
    if work.asked.days is not None:
        known &= pl.col("d").is_between(*work.asked.days)
    count = 0
    for number, (path, title) in enumerate(zip(paths, work.titles, strict=True)):
        before = count
        with UserStore() as store:
            store.collect(iter_table(path, on_error=work.asked.on_error))
            ticker.expect(store.rows)
            for part in user_parts([store]):
                kept = part.payload.filter(known)
                if kept.height:
                    yield TaskPart(count, (number, kept), f"{title}, {part.name}")
                    count += 1
        if count == before:
            raise HumobError(f"{title}: found no known cell, expected some to embed")


def embed_rows(
    rows: EmbedderColumns, trained: TrainedEmbedder, asked: EmbedOptions, moved: Moved | None = None
) -> NDArray[np.float32]:
    """Vectors of all users of some columns, (u, E).

    Users with more than ``PIECE_ROWS`` rows go in pieces, of which the mean is taken by rows.
    """
    numbers = [
        np.arange(low, high) for low, high in zip(rows.starts[:-1], rows.starts[1:], strict=True)
    ]
    return embed_parts(rows, numbers, rows.city, trained, asked, moved)


def embed_parts(
    rows: EmbedderColumns,
    parts: Sequence[Int64s],
    city: Int64s,
    trained: TrainedEmbedder,
    asked: EmbedOptions,
    moved: Moved | None = None,
) -> NDArray[np.float32]:
    """Vectors of parts of users' rows, (p, E).

    Args:
        rows: the columns.
        parts: numbers of rows in ascending order, at least one of each part, (p,) of them.
        city: number of each part's city, (p,).
        trained: the model.
        asked: how.
        moved: called with the number of finished rows.
    """
    lengths = np.array([len(part) for part in parts])
    pieces = np.maximum(1, -(-lengths // PIECE_ROWS))
    user = np.repeat(np.arange(len(lengths)), pieces)
    number = np.arange(len(user)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    begin = number * lengths[user] // pieces[user]
    end = (number + 1) * lengths[user] // pieces[user]
    weighted = np.zeros((len(user), EMBEDDING_SIZE), np.float64)
    device = next(trained.encoder.parameters()).device
    width = padded_length(end - begin)
    told = threading.Lock()
    counted = torch.empty(0, 0)
    if trained.encoder.out.out_features == LEARNT:  # of whole parts, not of their pieces
        counted = torch.cat(
            [count_spans(rows.spans([p], city[n : n + 1]))[0] for n, p in enumerate(parts)]
        )

    def work(batch: Int64s) -> None:
        filled = np.append(batch, np.repeat(batch[0], -len(batch) % TOGETHER))
        numbers = [parts[user[one]][begin[one] : end[one]] for one in filled.tolist()]
        spans = rows.spans(numbers, city[user[filled]], int(width[batch[0]]))
        if len(counted):
            spans = replace(spans, counted=counted[user[filled]])
        spans = spans.to(device)
        autocast = torch.autocast(device.type, torch.bfloat16, enabled=asked.precision == "bf16")
        with torch.inference_mode(), autocast:
            found = trained.encoder(spans)[: len(batch)].double().cpu().numpy()
        weights = (end - begin)[batch]
        weighted[batch] = found * weights[:, None]
        if moved is not None:
            with told:
                moved(int(weights.sum()))

    side_by_side(work, list(by_length(width, asked.batch_rows)), device)
    sums = np.add.reduceat(weighted, np.cumsum(pieces) - pieces, axis=0)
    sums /= np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return sums.astype(np.float32)


def check_city(name: str | None, trained: TrainedEmbedder) -> None:
    """Refuse a name of a city that the model does not know.

    Raises:
        UsageError: it was not trained on it.
    """
    if name is not None and name not in trained.cities:
        raise UsageError(
            f"--city: found {name!r}, expected one of {', '.join(trained.cities)}, which "
            f"{Path(trained.name).name} was trained on"
        )
