"""Trained embedders as methods that ``evaluate.embedding`` scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from humobctl.embed.data import EmbedderColumns
from humobctl.embed.embed import EmbedOptions, TrainedEmbedder, embed_parts
from humobctl.evaluate.embedding.metrics import CityRecords, Parts, Vectorise
from humobctl.evaluate.embedding.run import CityPeople, Method
from humobctl.native import Floats, Int64s


def users_seen(city: CityPeople, trained: Iterable[TrainedEmbedder]) -> Int64s:
    """Users of a city that any of the models was trained or validated on, (n,)."""
    found = [one.users_seen(city.name, city.fingerprint) for one in trained]
    seen = [one for one in found if one is not None]
    here = np.unique(city.frame["uid"].to_numpy()).astype(np.int64)
    return np.intersect1d(np.concatenate([np.empty(0, np.int64), *seen]), here)


def cities_trained_on(
    cities: Iterable[CityPeople], trained: Mapping[str, TrainedEmbedder]
) -> dict[str, tuple[str, ...]]:
    """Names of those cities that each model was trained on."""
    known = list(cities)
    return {
        title: tuple(
            city.name for city in known if one.number_of(city.name, city.fingerprint) is not None
        )
        for title, one in trained.items()
    }


def method_of(trained: TrainedEmbedder, first_weekday: int) -> Method:
    """The method that makes the vectors of a model."""

    def method(city: CityPeople) -> Vectorise:
        number = 1 + trained.cities.index(city.name) if city.name in trained.cities else 0

        def vectorise(people: CityRecords, parts: Parts) -> Floats:
            with EmbedderColumns(first_weekday) as rows:
                rows.add(people.frame(), number)
                rows.close_columns()
                cities = np.full(len(parts), number)
                return embed_parts(rows, parts, cities, trained, EmbedOptions()).astype(float)

        return vectorise

    return method
