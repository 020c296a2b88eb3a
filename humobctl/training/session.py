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

from humobctl.console import report
from humobctl.errors import HumobError
from humobctl.io.json_files import read_json_lines
from humobctl.io.streams import clear_os_errors
from humobctl.ranks import world_size
from humobctl.training.distributed import Group
from humobctl.training.model_dir import METRICS, Checkpoint, check_target, save
from humobctl.training.recipe import (
    Recipe,
    TrainedModel,
    Training,
    TrainingLog,
    TrainingPlan,
)
from humobctl.training.training_dir import folder_of, open_training_dir

STATE, LOGS = "state.safetensors", "tensorboard"


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


def dry_run(recipe: Recipe[Any], job: TrainingJob, show: Callable[[str], None]) -> str:
    """Lines on what a training would be; nothing is trained or written.

    Args:
        recipe: of the model.
        job: the training.
        show: takes a training record, where there are such, before what takes its time.
    """
    check_target(job.output, overwrite=True)
    recipe = recipe.set_up(job.device)
    with recipe.prepare() as data:
        if example := recipe.example(data):
            show(f"{example}\n")
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


def _describe_pace(done: int, seconds: float, plan: TrainingPlan) -> str:
    rate = done / max(seconds, 1e-9)
    return f", {rate * plan.batch:,.1f} {plan.unit}/s"


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
