"""Trained models of days from their model dirs."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import torch

from humobctl.generate.diffusion.config import TYPE, DiffusionSettings
from humobctl.generate.diffusion.data import Scale, channel_count, class_count
from humobctl.generate.diffusion.model import Denoiser, build
from humobctl.generate.gravity.distance_weights import DistanceWeights, weights_of
from humobctl.training.device import torch_device
from humobctl.training.model_dir import build_checked, clear_damage, load
from humobctl.training.settings import from_record


@dataclass(frozen=True)
class TrainedDiffusion:
    """A trained model, ready to draw from.

    Attributes:
        name: its folder.
        settings: of its training.
        condition: none, intent, category or home-work.
        categories: that it tells apart, with that condition.
        scale: of its days.
        network: on its device.
        device: as it was asked for.
        visits_a_day: mean of its training days; None where the model does not say.
        law: of distances and returns in its training days; None of a model that has none.
    """

    name: str
    settings: DiffusionSettings
    condition: str
    categories: tuple[str, ...]
    scale: Scale
    network: Denoiser
    device: str = "auto"
    visits_a_day: float | None = None
    law: DistanceWeights | None = None

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        """Another process loads it from its folder."""
        return load_diffusion, (self.name, self.device)


def load_diffusion(folder: str, device: str = "auto") -> TrainedDiffusion:
    """Load a model.

    Raises:
        HumobError: there is no whole model of this type.
        UsageError: there is no such device.
    """
    found = load(folder, type=TYPE)
    with clear_damage(folder):
        settings = from_record(DiffusionSettings, found.config["settings"])
        condition = found.config["condition"]
        record = found.config["scale"]
        scale = Scale(**{**record, "home_mean": tuple(record["home_mean"])})
        categories = tuple(found.config.get("categories", ()))
        law = found.config.get("law")
        weights = None if law is None else weights_of(law, f"{folder}: law")
        classes = class_count(condition, categories)
        make = functools.partial(build, settings, channel_count(condition), classes)
        network = build_checked(folder, settings.layers, make)
        arrays = {name: torch.from_numpy(array) for name, array in found.arrays.items()}
        network.load_state_dict(arrays)
    network = network.to(torch_device(device)).eval()
    return TrainedDiffusion(
        folder,
        settings,
        condition,
        categories,
        scale,
        network,
        device,
        visits_a_day=_number_or_none(found.config.get("visits_a_day")),
        law=weights,
    )


def _number_or_none(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
