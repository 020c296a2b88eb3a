"""One way to train: folder, processes, steps, log, early stopping, best weights, model dir.

A model folder supplies a ``Recipe``: what is read, and the ``Training`` that takes its steps
(``torch_loop.TorchTraining`` for all networks of torch). The rest is the same for every model, and
is here. Nothing heavy is imported.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from humobctl.console import report
from humobctl.errors import HumobError
from humobctl.io.streams import clear_os_errors
from humobctl.ranks import world_size
from humobctl.training.distributed import Group
from humobctl.training.model_dir import METRICS, Checkpoint, check_target, save
from humobctl.training.training_dir import folder_of, open_training_dir

STATE, LOGS = "state.safetensors", "tensorboard"
Data = TypeVar("Data")


@dataclass(frozen=True)
class TrainingJob:
    """Where a training runs and writes.

    Attributes:
        output: model dir to write.
        resume: continue an interrupted training.
        overwrite: replace a model dir of that name.
        device: cpu, cuda, or auto.
    """

    output: str
    resume: bool = False
    overwrite: bool = False
    device: str = "auto"


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


class Training(Protocol):
    """A network under training.

    What is drawn in a step follows from the seed, the step's number and the saved state alone: a
    training that goes on is the same to the last bit.
    """

    @property
    def plan(self) -> TrainingPlan:
        """How long it is."""

    @property
    def step(self) -> int:
        """Steps that are done."""

    def advance(self) -> None:
        """Take one step.

        Raises:
            HumobError: a loss that is NaN or infinite.
        """

    def collect_losses(self) -> dict[str, float]:
        """Losses, ``loss`` among them: means over the steps since the last call."""

    def note(self) -> dict[str, float]:
        """What the log says beside the losses: the learning rate."""

    def validate(self) -> dict[str, float]:
        """Scores of the network; none where nothing validates."""

    def keep_best(self) -> None:
        """Remember the weights of this step."""

    def restore_best(self) -> None:
        """Put the weights that are remembered back."""

    def save(self, path: Path, numbers: Mapping[str, float], *, write: bool) -> None:
        """Write all that is needed to go on, whole or not at all.

        Args:
            path: the file.
            numbers: the session's own.
            write: whether this process writes; the others contribute their part.
        """

    def restore(self, path: Path) -> dict[str, float]:
        """Go on from what ``save`` wrote; the session's numbers."""


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


@dataclass(frozen=True)
class DryRun:
    """What a training would be.

    Attributes:
        summary: lines for people.
        example: one training record as text, where there are such.
    """

    summary: str
    example: str = ""


@dataclass
class TrainingLog:
    """What happened in a training.

    Attributes:
        records: one a log, as ``metrics.jsonl`` holds them.
        best_step: step of the best validation; 0 for none.
        best_score: its score.
    """

    records: list[dict[str, Any]] = field(default_factory=list)
    best_step: int = 0
    best_score: float = math.nan

    @property
    def last_loss(self) -> float | None:
        """The newest training loss."""
        return next((one["loss"] for one in reversed(self.records) if "loss" in one), None)


class Recipe(Protocol[Data]):
    """What a model folder supplies; ``torch_loop.TorchRecipe`` has most of it for torch."""

    @property
    def type(self) -> str:
        """Of the model dir."""

    @property
    def settings(self) -> Any:
        """A dataclass: of the network and its training; it has a ``seed``."""

    def join(self, device: str) -> AbstractContextManager[Group]:
        """Join the processes that train together, until the model is written."""

    def set_up(self, device: str) -> Recipe[Data]:
        """Seed everything, and share the threads; the recipe with all settings decided."""

    def prepare(self) -> AbstractContextManager[Data]:
        """Read what is learnt from; in the main process."""

    def identify(self, data: Data) -> dict[str, Any]:
        """What must be the same for a training to go on, beside the settings."""

    def publish(self, data: Data, work: Path) -> Any:
        """Put the data where the other processes find them; what they are told, as JSON."""

    def receive(self, work: Path, group: Group) -> AbstractContextManager[Data]:
        """The data in another process, as soon as ``group.receive`` says that they are there."""

    def start(self, data: Data, device: str, group: Group) -> Training:
        """The network before its first step."""

    def describe(self, data: Data, device: str) -> DryRun:
        """What a training would be."""

    def describe_scores(self, record: Mapping[str, Any]) -> str:
        """Scores of a validation in words; nothing where there are none."""

    def finish(self, training: Any, data: Data, log: TrainingLog) -> TrainedModel:
        """What the model dir gets."""


def train(recipe: Recipe[Any], job: TrainingJob) -> dict[str, Any]:
    """Train a model and write its model dir.

    Returns:
        The record ``run.json`` holds; an empty one in all processes but the main one.

    Raises:
        HumobError: the data cannot be read or are too few, the output cannot be written, or a loss
            is NaN or infinite.
        UsageError: settings that do not go with the data, or no such device.
    """
    with recipe.join(job.device) as group:
        if group.main:
            check_target(job.output, overwrite=job.overwrite)
        recipe = recipe.set_up(job.device)
        with _open_data(recipe, job, group) as (data, work):
            training = recipe.start(data, job.device, group)
            log = run_training(training, recipe.describe_scores, work, group)
            if not group.main:
                return {}
            return _save_model(recipe.finish(training, data, log), recipe, job, log, work)


def dry_run(recipe: Recipe[Any], job: TrainingJob) -> DryRun:
    """What a training would be; nothing is trained or written."""
    check_target(job.output, overwrite=True)
    recipe = recipe.set_up(job.device)
    with recipe.prepare() as data:
        return recipe.describe(data, job.device)


@contextmanager
def _open_data(recipe: Recipe[Any], job: TrainingJob, group: Group) -> Iterator[tuple[Any, Path]]:
    """The data, and the folder of the training, which goes when all is done."""
    work = folder_of(job.output)
    if not group.main:
        with recipe.receive(work, group) as data:
            yield data, work
        return
    with recipe.prepare() as data:
        open_training_dir(
            work,
            {"settings": asdict(recipe.settings), **recipe.identify(data)},
            resume=job.resume,
            overwrite=job.overwrite,
            unfinished=(work / STATE).is_file(),
        )
        try:
            group.broadcast(recipe.publish(data, work) if group.size > 1 else None)
            yield data, work
        except BaseException:
            if not (work / STATE).is_file():  # there is nothing to go on with
                shutil.rmtree(work, ignore_errors=True)
            raise
        shutil.rmtree(work, ignore_errors=True)


def run_training(
    training: Training,
    describe_scores: Callable[[Mapping[str, Any]], str],
    work: Path,
    group: Group,
) -> TrainingLog:
    """Take all steps, from the state in ``work`` if there is one; it ends with its best weights.

    Args:
        training: before its first step.
        describe_scores: of the recipe.
        work: folder of the state and the log.
        group: the processes that train together.
    """
    log = TrainingLog()
    with clear_os_errors(str(work)):
        if (work / STATE).is_file():
            numbers = training.restore(work / STATE)
            log.best_step, log.best_score = int(numbers["best_step"]), numbers["best_score"]
        log.records = _read_records(work / METRICS, training.step)
        with _open_log(work, log, training, group) as write:
            _take_steps(training, log, describe_scores, work, group, write)
    if log.best_step:
        training.restore_best()
    return log


def _take_steps(
    training: Training,
    log: TrainingLog,
    describe_scores: Callable[[Mapping[str, Any]], str],
    work: Path,
    group: Group,
    write: Callable[[dict[str, Any]], None],
) -> None:
    plan, begin, started = training.plan, training.step, time.monotonic()
    with report.progress("training", plan.steps - begin, "steps") as ticker:
        while training.step < plan.steps and not _is_past(log, training.step, plan):
            training.advance()
            step = training.step
            ticker.move_to(step - begin)
            pause = step == plan.steps or step % plan.evaluate_every == 0
            if not pause and (not plan.log_every or step % plan.log_every):
                continue
            record = {"step": step, **training.collect_losses(), **training.note()}
            scores: dict[str, float] = {}
            if pause:
                scores = group.broadcast(training.validate()) if group.main else group.receive()
            for one in _records(record, scores, plan):
                log.records.append(one)
                write(one)
            text = _describe(record, plan, describe_scores({**record, **scores}))
            ticker.describe(text)
            if pause:
                _keep_if_best(training, log, scores)
                numbers = {"best_step": float(log.best_step), "best_score": log.best_score}
                training.save(work / STATE, numbers, write=group.main)
                report.info(text + _describe_pace(step - begin, time.monotonic() - started, plan))
    if training.step < plan.steps:
        report.info(
            f"stopped: no better validation {_name(plan)} in the last {plan.patience} of them "
            "(--patience)"
        )


def _is_past(log: TrainingLog, step: int, plan: TrainingPlan) -> bool:
    """Whether the best validation is so long ago that the training stops."""
    waited = (step - log.best_step) // plan.evaluate_every
    return bool(plan.patience and log.best_step and waited >= plan.patience)


def _keep_if_best(training: Training, log: TrainingLog, scores: Mapping[str, float]) -> None:
    plan = training.plan
    if plan.best is None or plan.best not in scores:
        return
    score = scores[plan.best]
    better = score > log.best_score if plan.maximize else score < log.best_score
    if better or not log.best_step:
        log.best_step, log.best_score = training.step, score
        training.keep_best()


def _records(
    record: dict[str, Any], scores: dict[str, float], plan: TrainingPlan
) -> list[dict[str, Any]]:
    """The lines of the log that a step adds."""
    if not plan.separate:
        return [record | scores]
    where = {"step": record["step"]}
    if plan.epoch is not None:
        where["epoch"] = plan.epoch(record["step"])
    both = [record | where, scores | where] if scores else [record | where]
    return [dict(sorted(one.items())) for one in both]


def _name(plan: TrainingPlan) -> str:
    return (plan.best or "").rpartition("_")[2]


def _describe(record: Mapping[str, Any], plan: TrainingPlan, scores: str) -> str:
    epoch = "" if plan.epoch is None else f" epoch {plan.epoch(record['step']):.1f}"
    text = f"step {record['step']:,}/{plan.steps:,}{epoch} loss {record['loss']:.4f}"
    return f"{text}, {scores}" if scores else text


def _describe_pace(done: int, seconds: float, plan: TrainingPlan) -> str:
    rate = done / max(seconds, 1e-9)
    return f", {rate * plan.batch:,.1f} {plan.unit}/s"


def check_loss(loss: float, step: int, rate: float, remedy: str) -> None:
    """Refuse to go on with a loss that is NaN or infinite.

    Raises:
        HumobError: it is.
    """
    if not math.isfinite(loss):
        raise HumobError(
            f"training: the loss became {loss:g} at step {step} (learning rate {rate:g}), "
            f"expected a finite number; try {remedy}"
        )


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file whole or not at all; ``write`` takes the name that it has meanwhile."""
    partial = path.with_name(f".{path.name}")
    write(partial)
    partial.rename(path)


def _read_records(path: Path, step: int) -> list[dict[str, Any]]:
    """The log of an unfinished training, up to its state."""
    if not path.is_file():
        return []
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return [record for record in records if record["step"] <= step]


@contextmanager
def _open_log(
    work: Path, log: TrainingLog, training: Training, group: Group
) -> Iterator[Callable[[dict[str, Any]], None]]:
    """What writes a record into ``metrics.jsonl``, and to TensorBoard where that is wanted."""
    if not group.main:
        yield lambda record: None
        return
    lines = (json.dumps(record) + "\n" for record in log.records)
    (work / METRICS).write_text("".join(lines))
    board = None
    if training.plan.separate:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - two seconds to import

        step = training.step
        board = SummaryWriter(str(work / LOGS), purge_step=step + 1 if step else None)

    def write(record: dict[str, Any]) -> None:
        file.write(json.dumps(record) + "\n")
        file.flush()
        if board is not None:
            for name, value in record.items():
                kind = "eval" if name.startswith("eval_") else "train"
                if name != "step":
                    board.add_scalar(f"{kind}/{name.removeprefix('eval_')}", value, record["step"])
            board.flush()

    try:
        with (work / METRICS).open("a") as file:
            yield write
    finally:
        if board is not None:
            board.close()


def _save_model(
    model: TrainedModel, recipe: Recipe[Any], job: TrainingJob, log: TrainingLog, work: Path
) -> dict[str, Any]:
    """Write the model dir; the record of the run."""
    run = {
        "seed": recipe.settings.seed,
        "steps": log.records[-1]["step"] if log.records else 0,
        "processes": world_size(),
        "settings": asdict(recipe.settings),
        **model.notes,
        "scores": model.scores,
    }

    def write(folder: Path) -> None:
        assert model.write is not None
        model.write(folder)
        if (work / LOGS).is_dir():
            shutil.copytree(work / LOGS, folder / LOGS)

    checkpoint = Checkpoint(recipe.type, model.config, model.arrays, run, log.records)
    own = None if model.write is None else write
    save(checkpoint, job.output, overwrite=job.overwrite, write=own)
    return run
