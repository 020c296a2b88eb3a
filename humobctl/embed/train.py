"""Training of the embedder: its data, the draw of a step, losses, and the kept weights."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
import torch
from torch import Tensor
from torch.nn import functional

from humobctl.console import report
from humobctl.data.split import shuffle_users
from humobctl.embed.anchors import LEARNT
from humobctl.embed.config import TYPE, EmbedderSettings
from humobctl.embed.data import CityBatchSampler, EmbedderColumns, SpanBatch, draw_spans
from humobctl.embed.embed import SEEN, TrainedEmbedder
from humobctl.embed.gained import MOST_HELD, say_gained
from humobctl.embed.model import EmbedderNetwork, Encoder, contrast
from humobctl.errors import HumobError
from humobctl.evaluate.embedding.metrics import FOLDS
from humobctl.evaluate.embedding.run import CityPeople
from humobctl.io.city_names import city_names
from humobctl.io.row_errors import OnError
from humobctl.native import Int64s
from humobctl.ranks import world_size
from humobctl.tables.schemas import EMBEDDING_SIZE
from humobctl.training.city_table import open_city
from humobctl.training.distributed import Group, Share
from humobctl.training.recipe import Costs, TrainedModel, TrainingLog, TrainingPlan
from humobctl.training.torch_loop import SEED_STRIDE, Batches, TorchRecipe, TorchTraining

_ROWS = "rows"
"""Folder in that of a training, where other processes find the rows."""
_VALIDATION_ROUNDS = 3
"""Times that each validation user's spans are drawn."""
_PASSES = 4
"""Times that users held out are embedded after the last step: whole, in halves both ways, and
without their last day."""


@dataclass(frozen=True)
class EmbedderData:
    """The training data.

    Attributes:
        rows: the records of all users that are trained or validated on.
        train: numbers of the users to learn from, (k,).
        validate: numbers of the users to validate on, (v,); none to train to the last step.
        cities: their names.
        about: what ``run.json`` says of each city.
        held: users of each city to score the model on; in the main process alone.
    """

    rows: EmbedderColumns
    train: Int64s
    validate: Int64s
    cities: list[str]
    about: list[dict[str, Any]]
    held: list[CityPeople] = field(default_factory=list)


@dataclass(frozen=True)
class EmbedderRecipe(TorchRecipe[EmbedderData]):
    """How an embedder is trained on cities, each a grid trajectory.

    Attributes:
        settings: of the network and its training.
        paths: files of the cities.
        cities: names of the cities, one a file; None for the files' names.
        last_day: last day to learn from; None for all days.
        first_weekday: of day 0; 0 is Sunday.
        on_error: stop at the first bad row, or drop bad rows.
    """

    settings: EmbedderSettings
    paths: list[str]
    cities: tuple[str, ...] | None = None
    last_day: int | None = None
    first_weekday: int = 0
    on_error: OnError = "fail"

    type = TYPE
    uses_transformers = False
    remedy = "a lower --learning-rate or a longer --warmup"

    @property
    def some_unused(self) -> bool:
        """The contrastive loss alone does not decode."""
        return self.settings.objective == "contrast"

    @contextmanager
    def prepare(self) -> Iterator[EmbedderData]:
        """Read the cities.

        Raises:
            HumobError: one of them has too few users.
        """
        names = city_names(self.paths, self.cities)
        with EmbedderColumns(self.first_weekday) as rows:
            about, held = [], []
            for number, (path, name) in enumerate(zip(self.paths, names, strict=True), 1):
                record, others = self._add_city(path, number, rows)
                about.append({"city": name, **record})
                if others.height:
                    held.append(CityPeople(name, record["fingerprint"], others))
            rows.close_columns()
            data = replace(self._split(rows, names, about), held=held)
            _check_shares(data)
            yield data

    def identify(self, data: EmbedderData) -> dict[str, Any]:
        """The cities."""
        return {"cities": data.about}

    def publish(self, data: EmbedderData, work: Path) -> dict[str, Any]:
        """Copy the columns; names of the cities."""
        data.rows.publish(work / _ROWS)
        return {"cities": data.cities, "about": data.about}

    @contextmanager
    def receive(self, work: Path, group: Group) -> Iterator[EmbedderData]:
        """The columns that the main process copied."""
        sent = group.receive()
        group.require_path(work / _ROWS)
        with EmbedderColumns(self.first_weekday) as rows:
            yield self._split(rows.open_published(work / _ROWS), sent["cities"], sent["about"])

    def _split(
        self, rows: EmbedderColumns, names: list[str], about: list[dict[str, Any]]
    ) -> EmbedderData:
        validates = _validators(rows, self.settings)
        everyone = np.arange(len(rows.uid))
        return EmbedderData(rows, everyone[~validates], everyone[validates], names, about)

    def _add_city(
        self, path: str, number: int, rows: EmbedderColumns
    ) -> tuple[dict[str, Any], pl.DataFrame]:
        """Read the users of a city that may be seen into the columns.

        Returns:
            What ``run.json`` says of the city, and records of users held out; none where they are
            fewer than the probes need.
        """
        with open_city(path, self.last_day, on_error=self.on_error) as city:
            uids = [np.empty(0, np.uint32), *(known["uid"].to_numpy() for known in city.groups())]
            everyone = np.unique(np.concatenate(uids))
            seen = seen_users(everyone, self.settings)
            _check_seen(city.name, everyone, seen, self.settings.train_below)
            before = rows.rows
            for known in city.groups(np.sort(seen)):
                rows.add(known, number)
            held = np.setdiff1d(everyone, seen)[:MOST_HELD]
            some = list(city.groups(held)) if len(held) >= 2 * FOLDS else []
        report.info(
            f"{city.name}: {len(seen):,} of {len(everyone):,} users to train and validate on; the "
            "others are held out"
        )
        counts = {"users": len(seen), "of_users": len(everyone), "rows": rows.rows - before}
        return city.about | counts, pl.concat(some) if some else pl.DataFrame()

    def plan(self, data: EmbedderData, processes: int) -> TrainingPlan:
        """A number of steps, or fewer by early stopping."""
        settings = self.settings
        return TrainingPlan(
            steps=settings.steps,
            evaluate_every=settings.evaluate_every,
            unit="users",
            batch=settings.batch_size * processes,
            patience=settings.patience,
            best="validation_loss",
        )

    def network(self, data: EmbedderData, device: torch.device) -> EmbedderNetwork:
        """Encoder and decoder."""
        return EmbedderNetwork(self.settings, len(data.cities)).to(device)

    def optimizer(self, network: torch.nn.Module) -> torch.optim.Optimizer:
        """AdamW."""
        return torch.optim.AdamW(
            network.parameters(),
            lr=self.settings.learning_rate,
            weight_decay=self.settings.weight_decay,
        )

    def batches(self, data: EmbedderData, share: Share, device: torch.device) -> Batches:
        """Spans of users of one city, and what dropout draws, by seed and step alone."""
        settings, rows = self.settings, data.rows
        size = settings.batch_size * share.size
        sampler = CityBatchSampler(data.train, rows.city[data.train], size, settings.seed)

        def draw(step: int) -> list[SpanBatch]:
            random = np.random.default_rng((settings.seed, 2, step))
            # What dropout draws, other things in every process.
            torch.manual_seed(settings.seed * SEED_STRIDE + step + (share.rank << 40))
            users = sampler.batch(step)
            return [draw_spans(rows, users, settings, random, plain=False, share=share).to(device)]

        return draw

    def losses(self, network: EmbedderNetwork, batch: SpanBatch, group: Group) -> dict[str, Tensor]:
        """The loss, and what it is made of.

        ``inside`` and ``following`` are cross-entropies in nats of a row's x and y, rebuilt from
        the vector and the time, and told from the vector, the time and the cell before, means over
        the rows of all processes; ``kept`` is how far a linear readout is from anchors, radius
        and exploration of the other span; ``contrast`` is that of finding a user's other span among
        all users; ``top1`` how often it is the nearest.
        """
        settings = self.settings
        vectors = network.encoder(batch.spans)
        found: dict[str, Tensor] = {}
        total: Tensor = vectors.new_zeros(())
        if settings.objective != "contrast":
            inside = network.decoder(vectors, batch.inside, None)
            following = network.decoder(vectors, batch.following, batch.before)
            found["inside"] = inside / max(1, batch.inside_rows)
            found["following"] = following / max(1, batch.following_rows)
            total = total + found["inside"] + found["following"]
        found["kept"] = network.keep(vectors, batch.targets) / (2 * batch.users)
        total = total + found["kept"]
        # The counted part finds users by itself; the learnt one is to find them without it.
        learnt = functional.normalize(vectors[:, -LEARNT:], dim=-1)
        mine = learnt.view(2, -1, LEARNT).transpose(0, 1)
        pairs = group.all_rows(mine, batch.users).transpose(0, 1)
        if settings.objective != "reconstruct":
            weight = settings.contrast_weight if settings.objective == "both" else 1.0
            whole = contrast(pairs, settings.temperature)
            # The same in all processes, but for the gradient, which each has of its own rows.
            found["contrast"] = whole - whole.detach() * (1 - 1 / group.size)
            total = total + weight * found["contrast"]
        alike = pairs[0].detach() @ pairs[1].detach().T
        right = torch.arange(len(alike), device=alike.device)
        found["top1"] = (alike.argmax(1) == right).float().mean() / group.size
        return {name: value.double() for name, value in {"loss": total, **found}.items()}

    @torch.no_grad()
    def validate(
        self, network: EmbedderNetwork, data: EmbedderData, device: torch.device
    ) -> dict[str, float]:
        """Losses of users that are not trained on: the same spans each time, without noise."""
        settings, city = self.settings, data.rows.city[data.validate]
        network.eval()
        sums: dict[str, float] = {}
        for number in range(_VALIDATION_ROUNDS):
            random = np.random.default_rng((settings.seed, 3, number))
            for one in np.unique(city).tolist():
                here = data.validate[city == one]
                for begin in range(0, len(here), settings.batch_size):
                    users = here[begin : begin + settings.batch_size]
                    batch = draw_spans(data.rows, users, settings, random, plain=True)
                    for name, value in self.losses(network, batch.to(device), Group()).items():
                        sums[name] = sums.get(name, 0.0) + float(value) * len(users)
        count = _VALIDATION_ROUNDS * len(data.validate)
        return {f"validation_{name}": value / count for name, value in sums.items()}

    def rehearse(self, network: EmbedderNetwork, data: EmbedderData, device: torch.device) -> Costs:
        """A validation, by that of a batch of users."""
        few = data.validate[: self.settings.batch_size]
        if not len(few):
            return Costs()
        started = time.monotonic()
        self.validate(network, replace(data, validate=few), device)
        each = (time.monotonic() - started) / len(few)
        spans = sum(city.frame.height for city in data.held) / (2 * self.settings.span_rows)
        return Costs(each * len(data.validate), _PASSES * each / _VALIDATION_ROUNDS * spans)

    def describe_scores(self, record: Mapping[str, Any]) -> str:
        """Loss and hits of users not trained on."""
        if "validation_loss" not in record:
            return ""
        return (
            f"of users not trained on {record['validation_loss']:.4f}, other span found "
            f"{record['validation_top1']:.0%}"
        )

    def describe(self, data: EmbedderData, training: TorchTraining) -> str:
        """Users, parameters, steps."""
        settings = self.settings
        network = cast("EmbedderNetwork", training.network)
        encoder, decoder = (
            sum(one.numel() for one in part.parameters())
            for part in (network.encoder, network.decoder)
        )
        lines = (
            f"cities: {', '.join(data.cities)}",
            f"users: {len(data.train):,} to train on, {len(data.validate):,} to validate",
            f"parameters: {encoder:,} of the encoder, {decoder:,} of the decoder",
            f"a vector: {EMBEDDING_SIZE} numbers, {LEARNT} of them learnt",
            f"training: at most {settings.steps:,} steps of "
            f"{settings.batch_size * world_size()} users, two spans of up to "
            f"{settings.span_rows} rows each",
        )
        return "\n".join(lines)

    def finish(self, training: TorchTraining, data: EmbedderData, log: TrainingLog) -> TrainedModel:
        """The network, and the users that it has seen."""
        kept = log.best_step or training.step
        best = next((one for one in log.records if one["step"] == kept), log.records[-1])
        arrays = {name: one.cpu().numpy() for name, one in training.kept.state_dict().items()}
        for number in range(1, 1 + len(data.cities)):
            users = data.rows.uid[data.rows.city == number]
            arrays[f"{SEEN}{number}"] = users.astype(np.uint32)
        gained = self._compare(training.kept.encoder, data, str(training.device))
        return TrainedModel(
            notes={
                "cities": data.about,
                "trained_on": len(data.train),
                "validated_on": len(data.validate),
                "kept_step": kept,
                "device": str(training.device),
            },
            scores={
                **{k: v for k, v in best.items() if k not in ("step", "learning_rate")},
                **gained,
            },
            config={"settings": asdict(self.settings), "cities": data.cities},
            arrays=arrays,
        )

    def _compare(self, encoder: Encoder, data: EmbedderData, device: str) -> dict[str, Any]:
        """The model beside baselines that need no training, on users held out."""
        if not data.held:
            return {}
        nobody = [np.empty(0, np.int64)] * len(data.cities)
        marks = [str(city["fingerprint"]) for city in data.about]
        trained = TrainedEmbedder(
            TYPE, self.settings, data.cities, encoder.eval(), nobody, marks, device
        )
        return say_gained(trained, data.held, self.first_weekday, self.settings.seed)


def _check_shares(data: EmbedderData) -> None:
    """Refuse cities with fewer users than processes: batches have one city."""
    city = data.rows.city[data.train]
    fewest, name = min(
        (int((city == number).sum()), name) for number, name in enumerate(data.cities, 1)
    )
    if fewest < world_size():
        raise HumobError(
            f"{name}: found {fewest} users to train on, expected one for each of {world_size()} "
            "processes at least"
        )


def seen_users(everyone: np.ndarray[Any, Any], settings: EmbedderSettings) -> np.ndarray[Any, Any]:
    """Users of a city to train and validate on: uids below a limit, or a seeded fraction.

    Args:
        everyone: uids.
        settings: ``train_below``, ``train_fraction`` and ``seed``.
    """
    if settings.train_below:
        return everyone[everyone < settings.train_below]
    count = max(1, round(settings.train_fraction * len(everyone)))
    return shuffle_users(np.sort(everyone).astype(np.uint32), settings.seed)[:count]


def _check_seen(
    name: str, everyone: np.ndarray[Any, Any], seen: np.ndarray[Any, Any], below: int
) -> None:
    """Refuse a city with too few users to train on; warn of one with none left to score on."""
    if len(seen) < 2:
        why = "--train-fraction, --last-day"
        if below and len(everyone):
            why = f"--train-below {below}; its uids go from {everyone.min()} to {everyone.max()}"
        raise HumobError(
            f"{name}: found {len(seen)} of {len(everyone)} users to train on, expected at least 2 "
            f"({why})"
        )
    if below and len(seen) == len(everyone):
        report.warn(
            f"{name}: all {len(everyone)} users have uids below --train-below {below} and are "
            "trained on, so none is left for 'eval embedding'; --train-fraction 0.8 holds some out"
        )


def _validators(
    rows: EmbedderColumns, settings: EmbedderSettings
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Users that only validate, (u,): at least two of a city, or none of it."""
    chosen = np.zeros(len(rows.uid), np.bool_)
    for city in np.unique(rows.city):
        here: Int64s = np.flatnonzero(rows.city == city)
        count = round(settings.validation_fraction * len(here))
        if count < 2 or len(here) - count < 2:
            continue
        drawn = shuffle_users(rows.uid[here].astype(np.uint32), settings.seed + 1)[:count]
        chosen[here] = np.isin(rows.uid[here], drawn)
    return chosen
