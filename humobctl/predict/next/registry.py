"""The models of next places: baselines by name, trained ones by their folder."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from humobctl.console.near_misses import meant_model
from humobctl.errors import HumobError, UsageError
from humobctl.extras import require
from humobctl.predict.next.base import NextModel
from humobctl.predict.next.baselines import MarkovChain
from humobctl.predict.next.city import NextCity
from humobctl.training.model_dir import load

BASELINES = {"most-frequent": 0, "markov": 1, "markov-2": 2}
"""Name -> order of the chain."""
TRAINED: dict[str, tuple[str, str | None]] = {
    "next-ranker": ("next.model", None),
    "next-gru": ("next_gru.predict", "torch"),
}
"""Type of a model dir -> module that makes it, and what is to be installed for it."""


def check_name(name: str) -> None:
    """Refuse a name that is neither a baseline nor a folder.

    Raises:
        UsageError: there is no such model.
    """
    if name not in BASELINES and not Path(name).is_dir():
        raise UsageError(
            f"--model: found {name!r}, expected one of {', '.join(BASELINES)} or a model dir of "
            f"'train next'{meant_model(name, BASELINES)}"
        )


def build(name: str, city: NextCity, device: str = "auto") -> NextModel:
    """The model of that name, or of that model dir.

    Raises:
        UsageError: there is none.
        HumobError: the model dir is damaged, or of a type that predicts no next places.
    """
    check_name(name)
    if name in BASELINES:
        return MarkovChain(city, BASELINES[name])
    checkpoint = load(name)
    if checkpoint.type not in TRAINED:
        raise HumobError(
            f"{name}: found a model of type {checkpoint.type}, expected one of 'train next'"
        )
    module, extra = TRAINED[checkpoint.type]
    if extra is not None:
        require(extra, checkpoint.type)
    maker: Any = import_module(f"humobctl.predict.{module}").from_checkpoint
    return maker(checkpoint, city, name, device)  # type: ignore[no-any-return]
