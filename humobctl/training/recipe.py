"""What a training is made of: a recipe, a network under training, a plan, a log.

A model folder supplies a ``Recipe``: what is read, and the ``Training`` that takes its steps
(``torch_loop.TorchTraining`` for all networks of torch). The rest is the same for every model, and
is in ``session``. Nothing heavy is imported.
"""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from humobctl.io.json_files import read_json
from humobctl.training.distributed import Group

Data = TypeVar("Data")
LOG_EVERY = 10
"""Steps from one record of the log to the next."""


@dataclass(frozen=True)
class TrainingPlan:
    """How long a training is, when it validates, and what it says.

    Attributes:
        steps: optimiser steps at most.
        evaluate_every: steps from one validation and saved state to the next.
        unit: what a step takes, such as windows.
        batch: how many of them, in all processes together.
        log_every: steps from one record of the log to the next; 0 for those of validations alone.
        patience: validations without a better score after which the training stops; 0 for never.
        best: score of the validation whose best weights are kept; None to keep the last ones.
        maximize: whether a higher score is better.
        epoch: epochs after a step, for the log; None to leave them out.
        separate: whether scores are records of their own, and the log goes to TensorBoard, too.
    """

    steps: int
    evaluate_every: int
    unit: str
    batch: int
    log_every: int = 0
    patience: int = 0
    best: str | None = None
    maximize: bool = False
    epoch: Callable[[int], float] | None = None
    separate: bool = False


def plan_epochs(
    settings: Any,
    batches: int,
    in_step: int,
    *,
    unit: str,
    batch: int,
    best: str,
    maximize: bool = False,
) -> TrainingPlan:
    """Passes over the data, or a number of steps, with a log of their own for the scores.

    Args:
        settings: of the training: epochs, max_steps, evaluate_every, patience.
        batches: of this process in a pass.
        in_step: how many of them go into a step; the last one may have fewer.
        unit: see ``TrainingPlan``, as all that follow.
        batch: of a step.
        best: score of the weights that are kept.
        maximize: whether a higher one is better.
    """
    in_epoch = math.ceil(batches / in_step)

    def epoch(step: int) -> float:
        done, number = divmod(step - 1, in_epoch)
        return done + min((number + 1) * in_step, batches) / batches

    return TrainingPlan(
        steps=settings.max_steps or in_epoch * settings.epochs,
        evaluate_every=settings.evaluate_every or in_epoch,
        unit=unit,
        batch=batch,
        log_every=LOG_EVERY,
        patience=settings.patience,
        best=best,
        maximize=maximize,
        epoch=epoch,
        separate=True,
    )


@dataclass(frozen=True)
class Costs:
    """What the parts of a training take beside its steps.

    Attributes:
        validation: seconds of a validation.
        finish: seconds of what comes after the last step.
        memory: bytes that come to those of the process then.
    """

    validation: float = 0.0
    finish: float = 0.0
    memory: int = 0


class Memo:
    """What was found out after the last step, kept in a file: an interrupted training has it."""

    def __init__(self, path: Path | None = None) -> None:
        """Keep it in ``path``, beside the state; None to keep nothing."""
        self._path = path
        self._found: dict[str, Any] = {}
        if path is not None and path.is_file():
            self._found = read_json(path)

    def once(self, name: str, compute: Callable[[], Any]) -> Any:
        """What ``compute`` gives, as JSON can hold it; computed if it is not known yet."""
        if name not in self._found:
            self._found[name] = compute()
            if self._path is not None:
                partial = self._path.with_name(f".{self._path.name}")
                partial.write_text(json.dumps(self._found))
                partial.rename(self._path)
        return self._found[name]


class Training(ABC):
    """A network under training.

    What is drawn in a step follows from the seed, the step's number and the saved state alone: a
    training that goes on is the same to the last bit.

    Attributes:
        plan: how long it is.
        step: steps that are done.
        loss: about that of the newest step; NaN before the first one.
        ragged: whether batches differ in shape from step to step.
    """

    plan: TrainingPlan
    step = 0
    loss = math.nan
    ragged = False

    @abstractmethod
    def advance(self) -> None:
        """Take one step.

        Raises:
            HumobError: a loss that is NaN or infinite.
        """

    @abstractmethod
    def collect_losses(self) -> dict[str, float]:
        """Losses, ``loss`` among them: means over the steps since the last call."""

    @abstractmethod
    def note(self) -> dict[str, float]:
        """What the log says beside the losses: the learning rate."""

    @abstractmethod
    def save(self, path: Path, numbers: Mapping[str, float], *, write: bool) -> None:
        """Write all that is needed to go on, whole or not at all.

        Args:
            path: the file.
            numbers: the session's own.
            write: whether this process writes; the others contribute their part.
        """

    @abstractmethod
    def restore(self, path: Path) -> dict[str, float]:
        """Continue from what ``save`` wrote; the session's numbers."""

    def validate(self) -> dict[str, float]:
        """Scores of the network; none where nothing validates."""
        return {}

    def rehearse(self) -> Costs:
        """What a validation takes and what comes after the last step, from a small part of it."""
        return Costs()

    def heaviest_step(self) -> int:
        """Number of a step that takes most memory, from 0."""
        return 0

    def try_step(self, number: int) -> None:
        """Take the step of that number, or one like it, in a training that goes no further."""
        self.advance()

    @abstractmethod
    def sizes(self) -> tuple[int, int]:
        """Bytes of what ``save`` writes, and of the model."""

    def keep_best(self) -> None:  # noqa: B027 - not all trainings validate
        """Remember the weights of this step."""

    def restore_best(self) -> None:  # noqa: B027
        """Put the weights that are remembered back."""


@dataclass(frozen=True)
class TrainedModel:
    """What a model dir gets.

    Attributes:
        notes: what ``run.json`` says beside seed, steps, processes, settings and scores.
        scores: losses and scores of the weights that are kept.
        config: the model's settings, for ``config.json``.
        arrays: its arrays by name.
        write: writes both into a folder, in place of ``config`` and ``arrays``.
    """

    notes: dict[str, Any]
    scores: dict[str, Any]
    config: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, Any] = field(default_factory=dict)
    write: Callable[[Path], None] | None = None


@dataclass
class TrainingLog:
    """What happened in a training.

    Attributes:
        records: one a log, as ``metrics.jsonl`` holds them.
        best_step: step of the best validation; 0 for none.
        best_score: its score.
        memo: of what comes after the last step.
    """

    records: list[dict[str, Any]] = field(default_factory=list)
    best_step: int = 0
    best_score: float = math.nan
    memo: Memo = field(default_factory=Memo)

    def scores_kept(self, prefix: str) -> dict[str, float]:
        """Scores of the best validation, or of the last one, whose names begin so, without that."""
        steps = [r["step"] for r in self.records if any(k.startswith(prefix) for k in r)]
        kept = self.best_step or (steps[-1] if steps else 0)
        return {
            name.removeprefix(prefix): value
            for record in self.records
            if record["step"] == kept
            for name, value in record.items()
            if name.startswith(prefix)
        }

    @property
    def last_loss(self) -> float | None:
        """The newest training loss."""
        return next((one["loss"] for one in reversed(self.records) if "loss" in one), None)


class Recipe(ABC, Generic[Data]):
    """What a model folder supplies.

    Attributes:
        type: of the model dir.
        settings: a dataclass: of the network and its training; it has a ``seed``.
    """

    type: str
    settings: Any

    def join(self, device: str) -> AbstractContextManager[Group]:
        """Join the processes that train together, until the model is written."""
        return nullcontext(Group())

    def set_up(self, device: str) -> Self:
        """Seed everything, and share the threads; the recipe with all settings decided."""
        return self

    @abstractmethod
    def prepare(self) -> AbstractContextManager[Data]:
        """Read what is learnt from; in the main process."""

    @abstractmethod
    def identify(self, data: Data) -> dict[str, Any]:
        """What must be the same for a training to go on, beside the settings."""

    def publish(self, data: Data, work: Path) -> Any:
        """Put the data where the other processes find them; what they get, as JSON."""

    def receive(self, work: Path, group: Group) -> AbstractContextManager[Data]:
        """The data in another process, as soon as ``group.receive`` says that they are there."""
        return self.prepare()

    @abstractmethod
    def start(self, data: Data, device: str, group: Group) -> Training:
        """The network before its first step."""

    def example(self, data: Data) -> str:
        """One training record as text; nothing where there are no such."""
        return ""

    @abstractmethod
    def describe(self, data: Data, training: Any) -> str:
        """Lines on what a training would be: data, sizes, steps.

        Args:
            data: what is learnt from.
            training: what ``start`` gave.
        """

    def describe_scores(self, record: Mapping[str, Any]) -> str:
        """Scores of a validation in words; nothing where there are none."""
        return ""

    @abstractmethod
    def finish(self, training: Any, data: Data, log: TrainingLog) -> TrainedModel:
        """What the model dir gets."""
