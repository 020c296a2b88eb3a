"""The models of `predict`, in one table: adding a model is one entry here and its folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from humobctl.console import report
from humobctl.console.near_misses import meant_model
from humobctl.errors import HumobError, UsageError
from humobctl.extras import require
from humobctl.predict.base import PredictOptions, Predictor, Prompting
from humobctl.predict.blend import Blended, blend_in_words
from humobctl.predict.city_profile import CityProfile
from humobctl.tables.cells import encode_cells
from humobctl.training.model_dir import CONFIG, load, load_array


@dataclass(frozen=True)
class ModelEntry:
    """A model: its name, one line for people, and where its class is."""

    name: str
    summary: str
    path: str

    def load(self) -> Callable[[CityProfile, PredictOptions], Predictor]:
        """The class; its module is imported only now."""
        module, name = self.path.split(":")
        loaded: Any = getattr(import_module(f"humobctl.predict.{module}"), name)
        return loaded  # type: ignore[no-any-return]


_ENTRIES = (
    ModelEntry(
        "history",
        "a user's past cells, weighted by time of day, recency, weekday and type of day",
        "baselines.history:History",
    ),
    ModelEntry(
        "mode", "the user's cells by how often they were visited", "baselines.frequency:Mode"
    ),
    ModelEntry(
        "slot-mode",
        "the same by half-hour slot; a slot never seen backs off to its neighbours",
        "baselines.frequency:SlotMode",
    ),
    ModelEntry(
        "weekday-mode",
        "the same by day of the week and slot; backs off to the slot",
        "baselines.frequency:WeekdayMode",
    ),
    ModelEntry(
        "markov",
        "bigram: the next cell given the one before and the slot",
        "baselines.markov:Markov",
    ),
)
MODELS = {entry.name: entry for entry in _ENTRIES}


@dataclass(frozen=True)
class ModelDirType:
    """A type of model dirs: what makes a model of (checkpoint, city, folder, options).

    Attributes:
        path: module and function.
        arrays: whether it takes the arrays from the checkpoint.
        extra: what is to be installed for it.
    """

    path: str
    arrays: bool = True
    extra: str | None = None


TRAINED = {
    "ranker": ModelDirType("ranker.model:from_checkpoint"),
    "bert-moe": ModelDirType("bert_moe.predict:from_checkpoint", arrays=False, extra="torch"),
}


def build(name: str, city: CityProfile, options: PredictOptions) -> Predictor:
    """The model of that name, or of that model dir.

    Raises:
        UsageError: there is none.
        HumobError: the model dir is damaged, or of a type that does not predict.
    """
    if options.prompting.base_url is not None:
        return _blend(_language("predict_server", name, city, options), city, options.blend)
    check_name(name)
    if name not in MODELS and is_language_model(name):
        return _blend(_language("predict", name, city, options), city, options.blend)
    if options.prompting != Prompting():
        raise UsageError(f"--model: found {name!r}, expected a language model for these options")
    if name in MODELS:
        _refuse_city(options)
        return _blend(MODELS[name].load()(city, options), city, options.blend)
    checkpoint = load(name, arrays=False)
    if checkpoint.type not in TRAINED:
        raise HumobError(
            f"{name}: found a model of type {checkpoint.type}, expected one that predicts: "
            f"{', '.join(TRAINED)}" + "; see --task next" * checkpoint.type.startswith("next-")
        )
    kind = TRAINED[checkpoint.type]
    module, maker = kind.path.split(":")
    if kind.extra is not None:
        require(kind.extra, checkpoint.type)
    make: Any = getattr(import_module(f"humobctl.predict.{module}"), maker)
    if "cities" not in checkpoint.config:
        _refuse_city(options)
    if kind.arrays:
        checkpoint = load(name)
    model = make(checkpoint, city, name, options)
    learnt = checkpoint.config.get("blend")
    return _blend(model, city, learnt if options.blend is None else options.blend)


def _language(module: str, name: str, city: CityProfile, options: PredictOptions) -> Predictor:
    _refuse_city(options)
    local = module == "predict"
    require("llm" if local else "openai", "a local language model" if local else "--base-url")
    make: Any = import_module(f"humobctl.predict.llama.{module}").from_name
    return make(name, city, options)  # type: ignore[no-any-return]


def is_language_model(name: str) -> bool:
    """Whether a name is a GGUF file, an adapter dir, or a model dir of transformers."""
    path = Path(name)
    if path.suffix == ".gguf" or (path / "adapter_config.json").is_file():
        return True
    try:
        config = json.loads((path / CONFIG).read_text())
    except (OSError, ValueError, RecursionError):
        return False
    known = isinstance(config, dict) and "type" in config
    return isinstance(config, dict) and (
        config["type"] == "llama" if known else "model_type" in config
    )


def on_torch(name: str) -> bool:
    """Whether a model runs on torch, and so on a GPU where there is one."""
    if name in MODELS:
        return False
    if is_language_model(name):
        return True
    kind = TRAINED.get(load(name, arrays=False).type)
    return kind is not None and kind.extra == "torch"


def _refuse_city(options: PredictOptions) -> None:
    if options.city is not None:
        raise UsageError(
            f"--city: found {options.city!r}, but this model does not distinguish cities; "
            "leave --city out"
        )


def tell_use(name: str, city: CityProfile, options: PredictOptions) -> None:
    """Say how a model dir is used: its blend, and whether the data are of a city that it knows.

    Args:
        name: of the model; only a model dir of a training has something to say.
        city: what the data show.
        options: of the prediction.
    """
    if name in MODELS or options.prompting.base_url is not None or is_language_model(name):
        return
    config = load(name, arrays=False).config
    if cities := config.get("cities"):  # first, as it finds damaged arrays
        _tell_city(name, city, cities, options.city)
    if "blend" in config:
        weight = config["blend"] if options.blend is None else options.blend
        whose = "learnt in training" if options.blend is None else "by --blend"
        report.info(f"{name}: {blend_in_words(weight or 0.0)} ({whose})")


_LEAST_KNOWN = 0.5
"""Fraction of a city's most frequent cells that users of another city hardly share."""


def _tell_city(name: str, city: CityProfile, cities: list[str], asked: str | None) -> None:
    known = ", ".join(cities)
    visited = load_array(name, "visited")
    if visited is not None and len(city.cells):
        cells = encode_cells(city.cells[:, 0], city.cells[:, 1])
        found = float(visited[cells].mean())
        if found < _LEAST_KNOWN:
            report.warn(
                f"{name}: found a city that the model does not know ({found:.0%} of its most "
                f"frequent cells were visited in {known}): 'train {load(name, arrays=False).type} "
                f"--init-from {name}' fine-tunes it, a ranker serves other cities as it is"
            )
            return
    if asked is None and len(cities) > 1:
        report.info(
            f"{name}: predicts as for a city that it does not distinguish, expected --city with "
            f"one of {known} for one of these"
        )


def _blend(model: Predictor, city: CityProfile, weight: float | None) -> Predictor:
    """The model mixed with the history baseline, where that has a weight."""
    if not weight:
        return model
    return Blended(model, city, weight)


def parse_blend(text: str) -> float | None:
    """The weight of ``--blend``; None for ``auto``.

    Raises:
        UsageError: neither ``auto`` nor a number from 0 to 1.
    """
    if text == "auto":
        return None
    try:
        weight = float(text)
    except ValueError:
        weight = -1.0
    if not 0.0 <= weight <= 1.0:
        raise UsageError(f"--blend: found {text!r}, expected auto or a number from 0 to 1")
    return weight


def check_name(name: str) -> None:
    """Refuse a name that is neither in the table nor a folder.

    Raises:
        UsageError: there is no such model.
    """
    gguf = name.endswith(".gguf") and Path(name).is_file()
    if name not in MODELS and not Path(name).is_dir() and not gguf:
        names = ", ".join(MODELS)
        raise UsageError(
            f"--model: found {name!r}, expected one of {names}, a model dir or a GGUF file"
            f"{meant_model(name, MODELS)}"
        )
