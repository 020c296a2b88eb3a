"""humobctl: a command line toolkit for the whole life of human mobility data, and a library.

``import humobctl as hm`` offers the functions below; each is imported when it is first used, so
that the import itself is quick. docs/api.md describes them.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# torch's threads wait for one another thousands of times a second. By default they wait by running,
# which keeps those they wait for from a core that other processes share: a hundred times as slow.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

if TYPE_CHECKING:
    from humobctl.api.data import mask, split, synth
    from humobctl.api.describe import describe
    from humobctl.api.embed import embed
    from humobctl.api.evaluate import evaluate, evaluate_embedding
    from humobctl.api.export import export
    from humobctl.api.families import (
        evaluate_cells,
        evaluate_flow_series,
        evaluate_flows,
        evaluate_generated,
        evaluate_plans,
        evaluate_ranked,
    )
    from humobctl.api.files import read, write
    from humobctl.api.finetune import finetune_llama
    from humobctl.api.generate import generate_diffusion, generate_flows, generate_gravity
    from humobctl.api.intend import intend
    from humobctl.api.model import Model, load_model
    from humobctl.api.predict import explain, predict, validate
    from humobctl.api.runs import runs
    from humobctl.api.stays import stays
    from humobctl.api.train import (
        train_bert_moe,
        train_diffusion,
        train_embedder,
        train_next,
        train_next_gru,
        train_ranker,
    )
    from humobctl.api.twin import twin
    from humobctl.api.view import view
    from humobctl.console.report import quiet
    from humobctl.errors import HumobError, TableError, UsageError
    from humobctl.evaluate.scores import Scores

_HOMES = {
    "api.files": ("read", "write"),
    "api.data": ("split", "mask", "synth"),
    "api.twin": ("twin",),
    "api.describe": ("describe",),
    "api.export": ("export",),
    "api.runs": ("runs",),
    "api.stays": ("stays",),
    "api.predict": ("predict", "explain", "validate"),
    "api.embed": ("embed",),
    "api.evaluate": ("evaluate", "evaluate_embedding"),
    "api.families": (
        "evaluate_cells",
        "evaluate_flow_series",
        "evaluate_flows",
        "evaluate_generated",
        "evaluate_plans",
        "evaluate_ranked",
    ),
    "evaluate.scores": ("Scores",),
    "api.generate": ("generate_gravity", "generate_diffusion", "generate_flows"),
    "api.intend": ("intend",),
    "api.train": (
        "train_bert_moe",
        "train_diffusion",
        "train_embedder",
        "train_next",
        "train_next_gru",
        "train_ranker",
    ),
    "api.finetune": ("finetune_llama",),
    "api.view": ("view",),
    "api.model": ("load_model", "Model"),
    "console.report": ("quiet",),
    "errors": ("HumobError", "UsageError", "TableError"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "HumobError",
    "Model",
    "Scores",
    "TableError",
    "UsageError",
    "describe",
    "embed",
    "evaluate",
    "evaluate_cells",
    "evaluate_embedding",
    "evaluate_flow_series",
    "evaluate_flows",
    "evaluate_generated",
    "evaluate_plans",
    "evaluate_ranked",
    "explain",
    "export",
    "finetune_llama",
    "generate_diffusion",
    "generate_flows",
    "generate_gravity",
    "intend",
    "load_model",
    "mask",
    "predict",
    "quiet",
    "read",
    "runs",
    "split",
    "stays",
    "synth",
    "train_bert_moe",
    "train_diffusion",
    "train_embedder",
    "train_next",
    "train_next_gru",
    "train_ranker",
    "twin",
    "validate",
    "view",
    "write",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'humobctl' has no attribute {name!r}")
    found = getattr(import_module(f"humobctl.{_HOME_OF[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


class _Public(type(sys)):  # type: ignore[misc]
    """The module itself: ``predict`` stays the function where the room ``predict`` is imported."""

    def __setattr__(self, name: str, value: object) -> None:
        if name not in _HOME_OF or not isinstance(value, type(sys)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Public
