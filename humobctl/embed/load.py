"""Trained embedders from their model dirs."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from humobctl.embed.config import TYPE, EmbedderSettings
from humobctl.embed.model import Encoder
from humobctl.native import Int64s
from humobctl.training.device import torch_device
from humobctl.training.model_dir import build_checked, clear_damage, load
from humobctl.training.settings import from_record

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
        for number, known in enumerate(self.cities):
            if known == name or self.fingerprints[number] == fingerprint:
                return self.seen[number]
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
        make = functools.partial(Encoder, settings, len(cities))
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
