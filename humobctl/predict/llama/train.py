"""Fine-tuning of a language model: its data, the draw of a step, loss, and the kept adapter."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.errors import UsageError
from humobctl.evaluate.cells.run import CellEvalSettings
from humobctl.llm.load import Loaded, check_vocabulary, load_causal, load_tokenizer, readable
from humobctl.llm.model_files import files_of
from humobctl.predict.blend import likelihood, user_scores
from humobctl.predict.decode_days.run import decode_user
from humobctl.predict.decode_slots import decode
from humobctl.predict.gained import ScoredUser, predict_history, say_gained
from humobctl.predict.llama import data as records
from humobctl.predict.llama.config import TYPE, LlamaSettings, Task
from humobctl.predict.llama.data import LlamaData, PackedRows
from humobctl.predict.llama.model import answers_loss, check_packing, mean_loss, with_lora
from humobctl.predict.llama.predict_compact import CompactPredictor
from humobctl.predict.llama.tokens import mean_tokens
from humobctl.predict.llama.users import PromptedUser, Source
from humobctl.ranks import world_size
from humobctl.training.distributed import Group, Share
from humobctl.training.model_dir import CONFIG, write_json
from humobctl.training.recipe import Costs, TrainedModel, TrainingLog, TrainingPlan, plan_epochs
from humobctl.training.torch_loop import (
    Batches,
    TorchRecipe,
    TorchTraining,
    decay_groups,
)

_REHEARSED = 4
"""Records on which what a validation takes is timed."""
MOST_VALIDATED = 20
"""People, or a twentieth of this many hundred records, that a validation takes: it is repeated."""


@dataclass(frozen=True)
class LlamaRecipe(TorchRecipe[LlamaData]):
    """How an adapter is trained on trajectories or conversations.

    Attributes:
        settings: of records, adapter and training.
        paths: the files.
        base: the model: a folder, a GGUF file, or a name on the hub.
        task: mobility or intention.
        source: what of the files is used, for ``mobility``.
    """

    settings: LlamaSettings
    paths: list[str]
    base: str
    task: Task = "mobility"
    source: Source = field(default_factory=Source)

    type = TYPE
    from_zero = True
    ragged = True

    @property
    def schedule(self) -> str:
        """The learning-rate schedule of the settings."""
        return self.settings.schedule

    def join(self, device: str) -> AbstractContextManager[Group]:
        """The processes that torchrun started.

        Raises:
            UsageError: several of them, and standard input, which they cannot all read.
        """
        if world_size() > 1 and "-" in self.paths:
            raise UsageError("INPUT: found -, expected a file: each of several processes reads it")
        return super().join(device)

    @contextmanager
    def prepare(self) -> Iterator[LlamaData]:
        """Read the files and make the records, the same in every process."""
        with readable(self.base):
            tokenizer = load_tokenizer(files_of(self.base))
        settings, name = self.settings, self.base
        if self.task == "mobility":
            yield records.mobility(self.paths, self.source, settings, tokenizer, name)
            return
        if "-" in self.paths:
            raise UsageError("--task intention reads files, expected a name other than -")
        yield records.intention(self.paths, settings, tokenizer, name)

    def identify(self, data: LlamaData) -> dict[str, Any]:
        """The task, the model and the files."""
        return {"task": self.task, "base": self.base, "files": data.about}

    def publish(self, data: LlamaData, work: Path) -> None:
        """Nothing: each process makes the records."""

    @contextmanager
    def receive(self, work: Path, group: Group) -> Iterator[LlamaData]:
        """The records, made meanwhile."""
        with self.prepare() as data:
            group.receive()
            group.require_path(work)
            yield data

    def start(self, data: LlamaData, device: str, group: Group) -> TorchTraining:
        """The network before its first step; what did not fit is said."""
        data.tell(self.settings.max_length)
        return super().start(data, device, group)

    def plan(self, data: LlamaData, processes: int) -> TrainingPlan:
        """Passes over the rows, or a number of steps."""
        settings = self.settings
        return plan_epochs(
            settings,
            math.ceil(len(self._rows(data)) / processes),
            settings.batch_size,
            unit="rows",
            batch=settings.batch_size * processes,
            best="eval_loss",
        )

    def _rows(self, data: LlamaData) -> PackedRows:
        return PackedRows(data.train, self.settings)

    def _order(self, rows: int, epoch: int) -> Any:
        random = torch.Generator().manual_seed(self.settings.seed + epoch)
        return torch.randperm(rows, generator=random).numpy()

    def network(self, data: LlamaData, device: torch.device) -> Any:
        """The model with an untrained adapter, on its device."""
        settings = self.settings
        precision = settings.precision
        with readable(self.base):
            files = files_of(self.base)
            network = load_causal(files, precision, device.type, settings.quantization)
            check_vocabulary(network, data.tokenizer, self.base)
        torch.manual_seed(settings.seed)
        network = with_lora(network, settings)
        if settings.gradient_checkpointing:
            network.gradient_checkpointing_enable({"use_reentrant": False})
        network = network if settings.quantization != "none" else network.to(device)
        check_packing(network.eval(), data.train, self.base)
        return network

    def optimizer(self, network: Any) -> torch.optim.Optimizer:
        """AdamW of the adapter."""
        groups = decay_groups(network, self.settings.weight_decay)
        return torch.optim.AdamW(groups, lr=self.settings.learning_rate, fused=True)

    def batches(self, data: LlamaData, share: Share, device: torch.device) -> Batches:
        """Rows in random order, one after another."""
        settings, rows = self.settings, self._rows(data)
        in_step = settings.batch_size * share.size
        in_epoch = math.ceil(len(rows) / in_step)

        def draw(step: int) -> list[dict[str, Any]]:
            epoch, number = divmod(step, in_epoch)
            if number == 0:
                # What a data loader of torch draws here; dropout draws what comes after it.
                torch.empty((), dtype=torch.int64).random_()
            order = self._order(len(rows), epoch)
            chosen = order[number * in_step : (number + 1) * in_step]
            chosen = np.append(chosen, np.resize(order, -len(chosen) % share.size))
            answers = torch.tensor(sum(rows.answers(i) for i in chosen.tolist()), device=device)
            return [
                {**{k: v.to(device) for k, v in rows[i].items()}, "answers": answers}
                for i in chosen[share.rank :: share.size].tolist()
            ]

        return draw

    def losses(self, network: Any, batch: Any, group: Group) -> dict[str, Tensor]:
        """This process's addend of the mean over a step's answers."""
        labels, answers = batch.pop("labels"), batch.pop("answers")
        return {"loss": answers_loss(network, batch, labels) / answers}

    def report_memory(self, device: torch.device) -> str:
        """What to say when the device has no memory left."""
        return (
            f"{device.type}: no memory left; try a --max-length below {self.settings.max_length}, "
            "--gradient-checkpointing or --quantization 4bit"
        )

    def validate(self, network: Any, data: LlamaData, device: torch.device) -> dict[str, float]:
        """Loss of those that validate, and GEO-BLEU where they are people."""
        if data.asked:
            found = self._predict(network, data)
        elif data.held:
            held = data.held[: 10 * MOST_VALIDATED]
            found = {"loss": mean_loss(network, held, self.settings)}
        else:
            found = {}
        return {f"eval_{name}": value for name, value in found.items()}

    def rehearse(self, network: Any, data: LlamaData, device: torch.device) -> Costs:
        """A validation, by that of one user or of a few records."""
        few = replace(data, asked=data.asked[:1], held=data.held[:_REHEARSED])
        count = len(few.asked) or len(few.held)
        if not count:
            return Costs()
        of = min(len(data.asked), MOST_VALIDATED) or min(len(data.held), 10 * MOST_VALIDATED)
        started = time.monotonic()
        self.validate(network, few, device)
        seconds = (time.monotonic() - started) / count * of
        return Costs(seconds, seconds * bool(data.asked))

    def _models(
        self, network: Any, data: LlamaData
    ) -> Iterator[tuple[PromptedUser, CompactPredictor]]:
        """People who validate, each with the predictor of the city."""
        network.eval()
        settings = self.settings
        loaded = Loaded(network, data.tokenizer, str(next(network.parameters()).device))
        bf16 = settings.precision == "bf16"
        for one in data.asked[:MOST_VALIDATED]:
            yield (
                one,
                CompactPredictor(loaded, one.city, settings.shape, self.base, bf16=bf16),
            )

    def _compare(self, network: Any, data: LlamaData) -> dict[str, Any]:
        """The adapter as it will be used beside the history baseline."""
        if not data.asked:
            return {}
        users, cells = [], []
        with report.progress("predicting", len(data.asked[:MOST_VALIDATED]), "users") as ticker:
            for one, model in self._models(network, data):
                users.append(ScoredUser(one.city, one.user, one.truth))
                cells.append(decode_user(one.user, one.city, model.distribution(one.user)))
                ticker.advance()
        return say_gained(TYPE, users, {TYPE: cells, "history": predict_history(users)})

    def _predict(self, network: Any, data: LlamaData) -> dict[str, float]:
        """Loss and GEO-BLEU (humob24) of people who are not trained on, each a mean over them.

        The loss is the mean of -log p of the true cells; cells are those of highest expected
        proximity.
        """
        losses, scores = [], []
        scoring = CellEvalSettings(dialects=("humob24",), names=("geobleu",))
        for one, model in self._models(network, data):
            dist = model.distribution(one.user)
            losses.append(float(-np.log(likelihood(dist, one.truth)).mean()))
            found = user_scores(one.user, decode(dist, "geobleu"), one.truth, scoring)
            scores.append(found["geobleu_humob24"])
        return {"loss": float(np.mean(losses)), "geobleu": float(np.mean(scores))}

    def describe_scores(self, record: Mapping[str, Any]) -> str:
        """Scores of those that validate."""
        if "eval_loss" not in record:
            return ""
        geobleu = f", GEO-BLEU {record['eval_geobleu']:.4f}" if "eval_geobleu" in record else ""
        return f"validation loss {record['eval_loss']:.3f}{geobleu}"

    def example(self, data: LlamaData) -> str:
        """The first record, as the model sees it."""
        return data.shown

    def heaviest_step(self, data: LlamaData, plan: TrainingPlan) -> int:
        """The first one with the longest row."""
        rows = self._rows(data)
        tokens = [sum(len(data.train[i]) for i in row) for row in rows.rows]
        order = self._order(len(rows), 0)
        return min(int(np.array(tokens)[order].argmax()) // plan.batch, plan.steps - 1)

    def describe(self, data: LlamaData, training: TorchTraining) -> str:
        """Numbers about the training: tokens, rows, parameters."""
        plan, rows = training.plan, self._rows(data)
        mean, high, most = mean_tokens(data.train)
        answers = sum(example.answers for example in data.train)
        network = training.network
        trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
        weights = sum(p.numel() * p.element_size() for p in network.parameters())
        tokens = sum(len(example) for example in data.train)
        lines = (
            f"records: {len(data.train):,} to train on, {len(data.held):,} to validate; "
            f"{answers:,} tokens are learnt, {answers / tokens:.1%} of all",
            f"tokens a record: {mean:,.0f} in the mean, {high:,.0f} at the 95th percentile, "
            f"{most:,} the longest",
            f"history: {pluralize(data.dropped_days, 'day')} dropped, "
            f"{pluralize(data.left_out, 'record')} left out",
            f"rows: {len(rows):,} of {tokens / len(rows):,.0f} tokens in the mean; "
            f"{plan.steps:,} steps of {pluralize(plan.batch, 'row')}",
            f"parameters: {trained:,} of the adapter are trained; the weights of the base take "
            f"{weights / 1e9:.2f} GB",
        )
        return "\n".join(lines)

    def finish(self, training: TorchTraining, data: LlamaData, log: TrainingLog) -> TrainedModel:
        """The adapter, with the model's tokenizer."""
        validations = [record for record in log.records if "eval_loss" in record]
        best = min(validations, key=lambda record: record["eval_loss"], default={})
        scores = {k.removeprefix("eval_"): v for k, v in best.items() if k.startswith("eval_")}
        gained = self._compare(training.kept, data)

        def write(folder: Path) -> None:
            training.kept.save_pretrained(folder)
            data.tokenizer.save_pretrained(folder)
            (folder / "README.md").unlink(missing_ok=True)  # peft's form, unfilled
            write_json(folder / CONFIG, self._config())

        if self.settings.quantization != "none":
            report.info(
                "the base was quantized in training; merge adds the adapter to the full one"
            )
        return TrainedModel(
            notes={
                "task": self.task,
                "base": self.base,
                "files": data.about,
                "records": len(data.train),
                "answers": sum(example.answers for example in data.train),
                "tokens": sum(map(len, data.train)),
                "dropped_days": data.dropped_days,
                "left_out": data.left_out,
            },
            scores={"training_loss": log.last_loss, **scores, **gained},
            write=write,
        )

    def _config(self) -> dict[str, Any]:
        """What ``config.json`` of an adapter dir says."""
        base = str(Path(self.base).resolve()) if Path(self.base).exists() else self.base
        return {
            "type": TYPE,
            "task": self.task,
            "template": self.settings.template if self.task == "mobility" else None,
            "base": base,
            "settings": asdict(self.settings),
        }
