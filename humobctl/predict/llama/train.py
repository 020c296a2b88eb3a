"""From files to an adapter dir: reading, rendering, training, saving."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from humobctl.console import report
from humobctl.errors import UsageError
from humobctl.evaluate.cells.align import AlignedDays
from humobctl.evaluate.cells.run import CellEvalSettings as Scoring
from humobctl.evaluate.cells.run import score
from humobctl.llm.load import Loaded, load_causal, load_tokenizer, readable
from humobctl.predict.blend import likelihood
from humobctl.predict.decode_slots import decode
from humobctl.predict.llama import data, train_loop
from humobctl.predict.llama.config import TYPE, Settings, Task, as_record
from humobctl.predict.llama.data import Material
from humobctl.predict.llama.dry_run import preview
from humobctl.predict.llama.predict_compact import CompactPredictor
from humobctl.predict.llama.users import PromptedUser, Source
from humobctl.ranks import world_size
from humobctl.training.device import check_precision, has_bf16, set_up, torch_device
from humobctl.training.distributed import Group, together
from humobctl.training.hf_trainer import LOGS, Place, newest_checkpoint
from humobctl.training.model_dir import CONFIG, Checkpoint, check_target, save, write_json
from humobctl.training.training_dir import folder_of, open_workplace

MOST_VALIDATED = 20
"""People, or a twentieth of this many hundred records, that a validation takes: it is repeated."""


@dataclass(frozen=True)
class Job:
    """One fine-tuning.

    Attributes:
        settings: of records, adapter and training.
        base: the model: a folder, a GGUF file, or a name on the hub.
        output: adapter dir to write.
        task: mobility or intention.
        source: what of the files is used, for ``mobility``.
        resume: go on with a training that was cut short.
        overwrite: replace a model dir of that name.
        device: cpu, cuda, or auto.
    """

    settings: Settings
    base: str
    output: str
    task: Task = "mobility"
    source: Source = field(default_factory=Source)
    resume: bool = False
    overwrite: bool = False
    device: str = "auto"


def train(paths: list[str], job: Job) -> dict[str, Any]:
    """Train an adapter on trajectories or conversations, and write the adapter dir.

    Returns:
        The record ``run.json`` holds; an empty one in all processes but the main one.

    Raises:
        HumobError: a file cannot be read, the model cannot be loaded, the output cannot be written,
            or the loss became no number.
        UsageError: there is no such device, or no such layers.
    """
    if world_size() > 1 and "-" in paths:
        raise UsageError("INPUT: found -, expected a file: each of several processes reads it")
    device = torch_device(job.device)
    with together(device) as group:
        if group.main:
            check_target(job.output, overwrite=job.overwrite)
        job = _settled(job, device)
        # Each process makes the records: from the same files and seed, they are the same.
        tokenizer, material = _material(paths, job)
        material.tell(job.settings.max_length)
        network = _network(job, device)
        rows = train_loop.Rows(material.train, job.settings)
        with _workplace(job, material, group) as work:
            check = _validator(material, job.settings, tokenizer, job.base)
            place = Place(work, device.type, group)
            metrics = train_loop.train(network, rows, job.settings, place, check)
            if not group.main:
                return {}
            return _finish(network, tokenizer, job, material, metrics, work)


def dry_run(paths: list[str], job: Job) -> tuple[str, str]:
    """What a training would be: one record as text, and lines of numbers about the training."""
    check_target(job.output, overwrite=True)
    device = torch_device(job.device)
    job = _settled(job, device)
    _, material = _material(paths, job)
    network = _network(job, device)
    rows = train_loop.Rows(material.train, job.settings)
    return material.shown, preview(network, material, rows, job.settings, device)


def _settled(job: Job, device: torch.device) -> Job:
    """The job with its precision decided."""
    precision = job.settings.precision
    if precision == "auto":
        precision = "bf16" if has_bf16(device) else "fp32"
    check_precision(precision, device)
    set_up(job.settings.seed)
    return replace(job, settings=replace(job.settings, precision=precision))


def _material(paths: list[str], job: Job) -> tuple[Any, Material]:
    with readable(job.base):
        tokenizer = load_tokenizer(job.base)
    if job.task == "mobility":
        found = data.mobility(paths, job.source, job.settings, tokenizer, job.base)
    else:
        if "-" in paths:
            raise UsageError("--task intention reads files, expected a name other than -")
        found = data.intention(paths, job.settings, tokenizer, job.base)
    return tokenizer, found


def _network(job: Job, device: torch.device) -> Any:
    settings = job.settings
    precision = "bf16" if settings.precision == "bf16" else "f32"
    with readable(job.base):
        network = load_causal(job.base, precision, device.type, settings.quantization)
    torch.manual_seed(settings.seed)
    found = train_loop.with_lora(network, settings)
    return found if settings.quantization != "none" else found.to(device)


def _validator(
    material: Material, settings: Settings, tokenizer: Any, name: str
) -> train_loop.Validate | None:
    if not material.held:
        return None
    if material.asked:
        asked = material.asked[:MOST_VALIDATED]
        return lambda network: validate(network, tokenizer, asked, settings, name)
    held = material.held[: 10 * MOST_VALIDATED]
    return lambda network: {"loss": train_loop.mean_loss(network, held, settings)}


def validate(
    network: Any, tokenizer: Any, asked: list[PromptedUser], settings: Settings, name: str
) -> dict[str, float]:
    """Loss and GEO-BLEU (humob24) of people who are not trained on, each a mean over them.

    The loss is the mean of -log p of the true cells; cells are those of highest expected proximity.
    """
    network.eval()
    device = str(next(network.parameters()).device)
    bf16 = settings.precision == "bf16"
    losses, scores = [], []
    for one in asked:
        loaded = Loaded(network, tokenizer, device)
        model = CompactPredictor(loaded, one.city, settings.shape, name, bf16=bf16)
        dist = model.distribution(one.user)
        losses.append(float(-np.log(likelihood(dist, one.truth)).mean()))
        scores.append(_geobleu(one, decode(dist, "geobleu")))
    return {"loss": float(np.mean(losses)), "geobleu": float(np.mean(scores))}


def _geobleu(one: PromptedUser, cells: Any) -> float:
    d = one.user.target_d
    begins = np.flatnonzero(np.diff(d, prepend=-1))
    columns = [
        np.ascontiguousarray(some[:, axis], np.int32)
        for some in (cells, one.truth)
        for axis in (0, 1)
    ]
    days = AlignedDays(
        *(np.full(len(begins), one.user.uid), d[begins], np.append(begins, len(d))),
        *((columns[0], columns[1]), (columns[2], columns[3])),
    )
    found = score(days, Scoring(dialects=("humob24",), names=("geobleu",)))
    return float(found["geobleu_humob24"].mean())


@contextmanager
def _workplace(job: Job, material: Material, group: Group) -> Iterator[Path]:
    """The folder of an unfinished training, beside the adapter dir; it goes when all is done."""
    work = folder_of(job.output)
    if group.main:
        about = {
            "settings": as_record(job.settings),
            "task": job.task,
            "base": job.base,
            "files": material.about,
        }
        unfinished = newest_checkpoint(work) is not None
        open_workplace(
            work, about, resume=job.resume, overwrite=job.overwrite, unfinished=unfinished
        )
        group.tell(True)
    else:
        group.hear()
        group.see(work)
    yield work
    if group.main:
        shutil.rmtree(work, ignore_errors=True)


def _finish(
    network: Any,
    tokenizer: Any,
    job: Job,
    material: Material,
    metrics: list[dict[str, Any]],
    work: Path,
) -> dict[str, Any]:
    """Write the adapter dir; the record of the run."""
    losses = [record["loss"] for record in metrics if "loss" in record]
    validations = [record for record in metrics if "eval_loss" in record]
    best = min(validations, key=lambda record: record["eval_loss"], default={})
    scores = {k.removeprefix("eval_"): v for k, v in best.items() if k.startswith("eval_")}
    run = {
        "seed": job.settings.seed,
        "task": job.task,
        "base": job.base,
        "files": material.about,
        "records": len(material.train),
        "answers": sum(example.answers for example in material.train),
        "tokens": sum(map(len, material.train)),
        "dropped_days": material.dropped_days,
        "left_out": material.left_out,
        "steps": metrics[-1]["step"] if metrics else 0,
        "processes": world_size(),
        "settings": as_record(job.settings),
        "scores": {"training_loss": losses[-1] if losses else None, **scores},
    }

    def write(folder: Path) -> None:
        network.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        (folder / "README.md").unlink(missing_ok=True)  # peft's form, unfilled
        write_json(folder / CONFIG, config_of(job))
        shutil.copytree(work / LOGS, folder / LOGS)

    save(Checkpoint(TYPE, {}, {}, run, metrics), job.output, overwrite=job.overwrite, write=write)
    if job.settings.quantization != "none":
        report.info("the base was quantized in training; merge adds the adapter to the full one")
    return run


def config_of(job: Job) -> dict[str, Any]:
    """What ``config.json`` of an adapter dir says."""
    base = str(Path(job.base).resolve()) if Path(job.base).exists() else job.base
    return {
        "type": TYPE,
        "task": job.task,
        "template": job.settings.template if job.task == "mobility" else None,
        "base": base,
        "settings": as_record(job.settings),
    }
