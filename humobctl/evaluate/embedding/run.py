"""Scores of methods over cities: reading, choosing the users, means over the cities."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.errors import HumobError
from humobctl.evaluate.embedding.metrics import (
    MEAN,
    MEDIAN,
    CityRecords,
    EmbeddingEvaluation,
    Locate,
    Vectorise,
    median_day,
    most_visited,
    score_city,
    score_of,
    slot_cells_of,
    slot_histograms,
    tfidf_svd,
)
from humobctl.evaluate.scores import TableScore
from humobctl.io.by_user import sort_by_key
from humobctl.io.read import iter_table
from humobctl.io.row_errors import OnError
from humobctl.native import Int64s
from humobctl.tables.schemas import MASKED
from humobctl.training.model_dir import Fingerprint

TFIDF, SLOT_CELLS, SLOTS = "tf-idf + SVD", "slots x cells", "slot histograms"


@dataclass(frozen=True)
class CityPeople:
    """A city to score on.

    Attributes:
        name: of the city.
        fingerprint: of its file.
        frame: its known rows, sorted by uid, d and t.
    """

    name: str
    fingerprint: str
    frame: pl.DataFrame

    def people(self, without: Int64s, first_weekday: int) -> CityRecords:
        """The rows of all users but some."""
        left = pl.Series(without.astype(np.uint32)).implode()
        return records_of(self.frame.filter(~pl.col("uid").is_in(left)), first_weekday)


def records_of(frame: pl.DataFrame, first_weekday: int) -> CityRecords:
    """Known rows as columns; they are sorted by uid, d and t."""
    uid = frame["uid"].to_numpy().astype(np.int64)
    begins = np.flatnonzero(np.diff(uid, prepend=-1))
    x, y, d, t = (frame[name].to_numpy() for name in ("x", "y", "d", "t"))
    starts = np.append(begins, frame.height)
    return CityRecords(x, y, d, t, starts, uid[begins], first_weekday)


Method = Callable[[CityPeople], Vectorise | Locate]
"""What makes vectors of the people of a city, or says places."""


def read_city(path: str, name: str, days: tuple[int, int] | None, on_error: OnError) -> CityPeople:
    """Read the known rows of a grid trajectory.

    Raises:
        HumobError: the file cannot be read, or has none on these days.
    """
    mark = Fingerprint()
    known = pl.col("x") != MASKED
    if days is not None:
        known &= pl.col("d").is_between(*days)
    batches = mark.watch(iter_table(path, on_error=on_error))
    frame = sort_by_key(pl.concat([batch.filter(known) for batch in batches]))
    if not frame.height:
        title = "stdin" if path == "-" else path
        raise HumobError(f"{title}: found no known cell on the days to score, expected some")
    return CityPeople(name, mark.text(), frame)


def baselines(first_weekday: int) -> dict[str, Method]:
    """The methods that every evaluation is compared with."""
    nobody = np.empty(0, np.int64)
    return {
        "mean cell": lambda city: MEAN,
        "median cell": lambda city: MEDIAN,
        "median day": lambda city: median_day,
        "most visited cell": lambda city: most_visited,
        TFIDF: lambda city: tfidf_svd(city.people(nobody, first_weekday)),
        SLOT_CELLS: lambda city: tfidf_svd(city.people(nobody, first_weekday), slot_cells_of),
        SLOTS: lambda city: slot_histograms,
    }


def evaluate_embeddings(
    cities: Sequence[CityPeople],
    left_out: Sequence[Int64s],
    methods: dict[str, Method],
    names: Sequence[str],
    *,
    first_weekday: int = 0,
    seed: int = 0,
    trained_on: Mapping[str, tuple[str, ...]] | None = None,
) -> list[EmbeddingEvaluation]:
    """Score methods on the users of cities without training users.

    Args:
        cities: what to score on.
        left_out: users of each city that are not scored.
        methods: by name.
        names: of the metrics.
        first_weekday: of day 0; 0 is Sunday.
        seed: of the folds of the probes, and of the intervals.
        trained_on: names of these cities that each model was trained on, by method.

    Raises:
        HumobError: a city has fewer than two users to score.
    """
    chosen = []
    for city, without in zip(cities, left_out, strict=True):
        people = city.people(without, first_weekday)
        if len(people.uid) < 2:
            raise HumobError(
                f"{city.name}: found {len(people.uid)} users that no model was trained on, "
                f"expected at least 2: {len(without):,} of its users were; train with a lower "
                "--train-below (preset paper: uids below 4000) or with --train-fraction, or score "
                "--users all"
            )
        report.info(
            f"{city.name}: {pluralize(len(people.uid), 'user')} to score, {len(without):,} were "
            f"trained on"
        )
        chosen.append(people)
    users = {city.name: len(people.uid) for city, people in zip(cities, chosen, strict=True)}
    found = []
    for title, method in methods.items():
        made = [method(city) for city in cities]
        parts = [
            score_city(people, one, names, seed) for people, one in zip(chosen, made, strict=True)
        ]
        counted = isinstance(made[0], Locate)

        def scores(which: Sequence[int], parts=parts, counted=counted) -> list[TableScore]:  # type: ignore[no-untyped-def]
            here = [len(chosen[number].uid) for number in which]
            return [
                score_of(key, [parts[n][key] for n in which], here, seed, counted=counted)
                for key in parts[0]
            ]

        everywhere = range(len(cities))
        by_city = {cities[n].name: scores([n]) for n in everywhere} if len(cities) > 1 else {}
        trained = (trained_on or {}).get(title)
        found.append(EmbeddingEvaluation(title, users, scores(everywhere), by_city, trained))
    return found
