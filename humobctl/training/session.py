"""One way to train: folder, processes, steps, log, early stopping, best weights, model dir.

The same for every model, which says by its ``Recipe`` what is its own. Nothing heavy is imported.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from humobctl.console import report, signals
from humobctl.errors import HumobError
from humobctl.io.json_files import read_json_lines
from humobctl.io.streams import clear_os_errors
from humobctl.ranks import world_size
from humobctl.training.distributed import Group
from humobctl.training.estimate import estimate, peak_memory, size
from humobctl.training.model_dir import METRICS, Checkpoint, check_target, save
from humobctl.training.recipe import (
    Costs,
    Memo,
    Recipe,
    TrainedModel,
    Training,
    TrainingLog,
    TrainingPlan,
)
from humobctl.training.training_dir import folder_of, open_training_dir

STATE, MEMO, LOGS = "state.safetensors", "finish.json", "tensorboard"
CHECKPOINT_MINUTES = 5.0


@dataclass(frozen=True)
class TrainingJob:
    """Where a training runs and writes.

    Attributes:
        output: model dir to write.
        resume: continue an interrupted training.
        overwrite: replace a model dir of that name.
        device: cpu, cuda, or auto.
        checkpoint_minutes: between two checkpoints, at most; validations write one, too.
    """

    output: str
    resume: bool = False
    overwrite: bool = False
    device: str = "auto"
    checkpoint_minutes: float = CHECKPOINT_MINUTES


def train(recipe: Recipe[Any], job: TrainingJob) -> dict[str, Any]:
    """Train a model and write its model dir.

    Returns:
        The record ``run.json`` holds; an empty one in all processes but the main one.

    Raises:
        HumobError: the data cannot be read or are too few, the output cannot be written, or a loss
            is NaN or infinite.
        UsageError: settings that do not go with the data, or no such device.
    """
    started = time.monotonic()
    with recipe.join(job.device) as group:
        if group.main:
            check_target(job.output, overwrite=job.overwrite)
        recipe = recipe.set_up(job.device)
        with _open_data(recipe, job, group) as (data, work):
            training = recipe.start(data, job.device, group)
            if job.resume and group.main and not (work / STATE).is_file():
                report.info(f"{work}: found no checkpoint to resume, begins anew")
            seconds = 60 * job.checkpoint_minutes
            log = run_training(
                training, recipe.describe_scores, work, group, checkpoint_seconds=seconds
            )
            if not group.main:
                return {}
            run = _save_model(recipe.finish(training, data, log), recipe, job, log, work)
        took = report.clock(time.monotonic() - started)
        report.info(f"took {took}, {size(peak_memory())} of memory at the peak")
        return run


def dry_run(recipe: Recipe[Any], job: TrainingJob, show: Callable[[str], None]) -> str:
    """Lines on what a training would be; nothing is trained or written.

    Args:
        recipe: of the model.
        job: the training.
        show: takes a training record, where there are such, before what takes its time.
    """
    check_target(job.output, overwrite=True)
    recipe = recipe.set_up(job.device)
    started = time.monotonic()
    with recipe.prepare() as data:
        if example := recipe.example(data):
            show(f"{example}\n")
        training = recipe.start(data, job.device, Group())
        reading = time.monotonic() - started
        found = estimate(training, reading, 60 * job.checkpoint_minutes)
        return f"{recipe.describe(data, training)}\n{found}"


def _tell_kept(work: Path) -> str:
    """What an interrupt leaves of a training, and how to go on."""
    if (work / STATE).is_file():
        return f"{work}: interrupted; the last checkpoint is kept, --resume continues from it"
    return (
        f"{work}: interrupted before the first checkpoint; nothing is kept, the same command "
        "begins anew (--checkpoint-minutes: checkpoints more often)"
    )


@contextmanager
def _open_data(recipe: Recipe[Any], job: TrainingJob, group: Group) -> Iterator[tuple[Any, Path]]:
    """The data, and the folder of the training, which goes when all is done."""
    work = folder_of(job.output)
    if not group.main:
        with recipe.receive(work, group) as data:
            yield data, work
        return
    with signals.last_words(lambda: _tell_kept(work)), recipe.prepare() as data:
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
            if not (work / STATE).is_file():
                shutil.rmtree(work, ignore_errors=True)
            raise
        shutil.rmtree(work, ignore_errors=True)


def run_training(
    training: Training,
    describe_scores: Callable[[Mapping[str, Any]], str],
    work: Path,
    group: Group,
    *,
    checkpoint_seconds: float = 60 * CHECKPOINT_MINUTES,
) -> TrainingLog:
    """Take all steps, from the state in ``work`` if there is one; it ends with its best weights.

    Args:
        training: before its first step.
        describe_scores: of the recipe.
        work: folder of the state and the log.
        group: the processes that train together.
        checkpoint_seconds: between two states, at most, where a step takes less.
    """
    log = TrainingLog()
    checkpoints = _Checkpoints(training, log, work / STATE, group, checkpoint_seconds)
    with clear_os_errors(str(work)):
        checkpoints.restore()
        if training.step < training.plan.steps:
            (work / MEMO).unlink(missing_ok=True)
        log.records = _read_records(work / METRICS, training.step)
        with _open_log(work, log, training, group) as write:
            _take_steps(training, log, describe_scores, group, write, checkpoints)
    if log.best_step:
        training.restore_best()
    log.memo = Memo(work / MEMO)
    return log


class _Checkpoints:
    """Writes the state of a training where a validation is or the last one is old."""

    def __init__(
        self, training: Training, log: TrainingLog, path: Path, group: Group, seconds: float
    ) -> None:
        self._training, self._log, self._path = training, log, path
        self._group, self._seconds = group, seconds
        self._written = time.monotonic()

    def restore(self) -> None:
        """Continue from the last state, if there is one."""
        if not self._path.is_file():
            return
        minutes = (time.time() - self._path.stat().st_mtime) / 60
        numbers = self._training.restore(self._path)
        self._log.best_step = int(numbers["best_step"])
        self._log.best_score = numbers["best_score"]
        report.info(
            f"{self._path.parent}: resumes after step {self._training.step:,} of "
            f"{self._training.plan.steps:,}, a checkpoint {minutes:,.0f} min old"
        )

    def write(self) -> None:
        """Write the state."""
        numbers = {"best_step": float(self._log.best_step), "best_score": self._log.best_score}
        self._training.save(self._path, numbers, write=self._group.main)
        self._written = time.monotonic()

    def write_if_due(self) -> None:
        """Write the state if the last one is older than it may be, by the main process's clock."""
        if self._group.agree(time.monotonic() - self._written >= self._seconds):
            self.write()


class _Pacer:
    """How long steps and validations take, and so how long all of a training still takes.

    Attributes:
        costs: of what has not been timed yet; None before they are known.
    """

    def __init__(self, training: Training) -> None:
        self._training, self._begin = training, training.step
        self._first = self._steps = self._validation = 0.0
        self._started = time.monotonic()
        self._validating = False
        self.costs: Costs | None = None

    def step_done(self) -> None:
        """Take note of a step's time, the first one's apart: it is slow."""
        seconds, self._started = time.monotonic() - self._started, time.monotonic()
        if self._training.step == self._begin + 1:
            self._first = seconds
        else:
            self._steps += seconds

    @contextmanager
    def validating(self) -> Iterator[None]:
        """Take note of a validation's time."""
        self._validating, self._started = True, time.monotonic()
        yield
        self._validation, self._validating = time.monotonic() - self._started, False

    def go_on(self) -> None:
        """Begin to time the next step: what passed since the last one was something else."""
        self._started = time.monotonic()

    def rehearse(self) -> None:
        """Find out what has not been timed yet, once steps have lasted so long that it matters."""
        if self.costs is None and self._first + self._steps > _REHEARSE_AFTER:
            self.costs = self._training.rehearse()

    def per_step(self) -> float:
        """Seconds of a step; 0 before the first one is done."""
        others = self._training.step - self._begin - 1
        return self._steps / others if others > 0 else self._first

    def rate(self, batch: int, unit: str) -> str:
        """Units per second in words."""
        return report.rate(batch, self.per_step(), unit) if self.per_step() else ""

    def pace(self) -> report.Pace:
        """For the ticker: steps per second, and the time left with what comes after the steps."""
        found, plan, step = self._training, self._training.plan, self.per_step()
        if not step or (self.costs is None and not self._validation):
            return report.Pace(self.rate(1, "steps"), None)
        costs = self.costs or Costs()
        validation = self._validation or costs.validation
        every = plan.evaluate_every
        validations = math.ceil(plan.steps / every) - found.step // every
        now = validation if self._validating else step if found.step < plan.steps else 0.0
        left = (plan.steps - found.step) * step + validations * validation + costs.finish
        left += self._validating * validation - min(time.monotonic() - self._started, now)
        return report.Pace(self.rate(1, "steps"), max(0.0, left))


_REHEARSE_AFTER = 5.0
"""Seconds of steps: half of those before a line is said."""


def _take_steps(
    training: Training,
    log: TrainingLog,
    describe_scores: Callable[[Mapping[str, Any]], str],
    group: Group,
    write: Callable[[dict[str, Any]], None],
    checkpoints: _Checkpoints,
) -> None:
    plan, pacer = training.plan, _Pacer(training)
    with report.progress("training", plan.steps, "steps") as ticker:
        ticker.pace = pacer.pace
        ticker.done = training.step
        ticker.beat()
        while training.step < plan.steps and not _is_past(log, training.step, plan):
            training.advance()
            pacer.step_done()
            step = training.step
            if group.main:
                pacer.rehearse()
            ticker.describe(f"training, loss {training.loss:.4f}")
            ticker.move_to(step)
            pause = step == plan.steps or step % plan.evaluate_every == 0
            if not pause and (not plan.log_every or step % plan.log_every):
                checkpoints.write_if_due()
                pacer.go_on()
                continue
            record = {"step": step, **training.collect_losses(), **training.note()}
            scores: dict[str, float] = {}
            if pause:
                ticker.describe(f"validation, loss {record['loss']:.4f}")
                with pacer.validating():
                    scores = group.broadcast(training.validate()) if group.main else group.receive()
            for one in _records(record, scores, plan):
                log.records.append(one)
                write(one)
            if pause:
                _keep_if_best(training, log, scores)
                checkpoints.write()
                text = _describe(record, plan, describe_scores({**record, **scores}))
                report.info(f"{text}, {pacer.rate(plan.batch, plan.unit)}")
            else:
                checkpoints.write_if_due()
            pacer.go_on()
    if training.step < plan.steps:
        report.info(
            f"stopped early: validation {_name(plan)} did not improve in the last {plan.patience} "
            "validations (--patience)"
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


def check_loss(loss: float, step: int, rate: float, remedy: str) -> None:
    """Refuse to continue with a loss that is NaN or infinite.

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
    records = read_json_lines(path)
    steps = ((record, record.get("step")) for record in records)
    return [record for record, at in steps if isinstance(at, int) and at <= step]


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
