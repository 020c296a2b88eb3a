"""Trained models as the library hands them out and takes them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, TextIO, TypeAlias

from humobctl.console import report
from humobctl.console.shown import Shown


@dataclass(frozen=True, repr=False)
class Model(Shown):
    """A model dir: what it is, and how it was made. Its arrays are read when they are used.

    Attributes:
        path: the folder.
        type: of the model, such as ``bert-moe``.
        config: settings that the model is built from.
        run: version, seed, data and command of the training.
    """

    path: str
    type: str
    config: dict[str, Any]
    run: dict[str, Any]

    def __fspath__(self) -> str:
        return self.path

    def show(self, stream: TextIO | None = None) -> None:
        """Print type, folder and settings for people."""
        rows = [
            (name, value)
            for name, value in self.config.items()
            if not isinstance(value, list | dict)
        ]
        title = f"{self.type}: {self.path}"
        report.table(title, ("setting", "value"), rows, stream=stream or sys.stdout, left=2)

    def to_dict(self) -> dict[str, Any]:
        """Type, folder, settings and run."""
        return dict(vars(self))


ModelSource: TypeAlias = str | PathLike[str]
"""The name of a model, the path of its folder, or a ``Model``."""


def load_model(path: ModelSource) -> Model:
    """Look into a model dir, as ``train`` and ``finetune`` write them.

    Args:
        path: the folder.

    Returns:
        The model, which ``predict``, ``embed`` and ``generate_diffusion`` take as ``model``.

    Raises:
        HumobError: the folder is not a model dir, or not whole.

    Example:
        >>> hm.load_model("embedder").type
        'embedder'
    """
    from humobctl.training.model_dir import load

    found = load(Path(path), arrays=False)
    return Model(str(Path(path)), found.type, found.config, found.run)
