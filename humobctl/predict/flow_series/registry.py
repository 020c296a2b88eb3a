"""The models of hidden days, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from humobctl.console.near_misses import meant_model
from humobctl.errors import UsageError
from humobctl.predict.flow_series.base import FlowModel, FlowSample, SeriesDays


@dataclass(frozen=True)
class FlowModelEntry:
    """A model: its name, one line for people, and what fits it.

    Attributes:
        path: module and function.
        covariate: whether it takes a covariate.
    """

    name: str
    summary: str
    path: str
    covariate: bool = False

    def load(self) -> Callable[[SeriesDays, FlowSample], FlowModel]:
        """What fits it; its module is imported only now."""
        module, name = self.path.split(":")
        loaded: Any = getattr(import_module(f"humobctl.predict.flow_series.{module}"), name)
        return loaded  # type: ignore[no-any-return]


_ENTRIES = (
    FlowModelEntry("mean-after", "the mean of the four weeks after", "baselines:mean_after"),
    FlowModelEntry(
        "mean-around",
        "the mean of the four weeks before and of those after",
        "baselines:mean_around",
    ),
    FlowModelEntry(
        "linear", "the line from the last day before to the first after", "baselines:linear"
    ),
    FlowModelEntry(
        "same-weekday", "the same line between days of the same weekday", "baselines:same_weekday"
    ),
    FlowModelEntry(
        "boundary",
        "a line between the levels before and after, times factors of weekdays and holidays",
        "boundary:boundary",
    ),
    FlowModelEntry("ridge", "ridge regression on the calendar and a bent trend", "ridge:ridge"),
    FlowModelEntry(
        "state-space",
        "smoothed common factors and levels of each pair, times factors of weekdays and holidays",
        "state_space:state_space",
        covariate=True,
    ),
    FlowModelEntry(
        "ensemble",
        "boundary, ridge and state-space, weighted on windows hidden among the given days",
        "ensemble:ensemble",
        covariate=True,
    ),
)
FLOW_MODELS = {entry.name: entry for entry in _ENTRIES}
DEFAULT_FLOW_MODEL = "ensemble"


def check_flow_model(name: str, *, covariate: bool) -> None:
    """Refuse the name of something else than a model of hidden days, and a covariate it ignores.

    Raises:
        UsageError: it is.
    """
    if name not in FLOW_MODELS:
        names = ", ".join(FLOW_MODELS)
        meant = meant_model(name, FLOW_MODELS)
        raise UsageError(f"--model: found {name!r}, expected one of {names} for daily flows{meant}")
    if covariate and not FLOW_MODELS[name].covariate:
        takers = " or ".join(entry.name for entry in _ENTRIES if entry.covariate)
        raise UsageError(f"--covariates: found --model {name}, which takes none, expected {takers}")
