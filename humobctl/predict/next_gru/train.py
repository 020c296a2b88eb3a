"""Training of the recurrent network of next places, validated on the last window."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from humobctl.data.sessions import SessionTable
from humobctl.predict.next.data import NextRecords, describe_tables, gather
from humobctl.predict.next.features import NAMES
from humobctl.predict.next.gained import say_gained
from humobctl.predict.next_gru.config import TYPE, NextGruSettings
from humobctl.predict.next_gru.data import NextGruRows, Vocabulary, training_parts
from humobctl.predict.next_gru.model import NextGruNetwork
from humobctl.predict.next_gru.predict import NextGru
from humobctl.training.distributed import Group, Share
from humobctl.training.recipe import Costs, TrainedModel, TrainingLog, TrainingPlan, plan_epochs
from humobctl.training.torch_loop import SEED_STRIDE, Batches, TorchRecipe, TorchTraining

_TOGETHER = 512


@dataclass(frozen=True)
class NextGruData:
    """What is learnt from.

    Attributes:
        train: records to learn from.
        validate: records of the last window.
        vocabulary: places and users.
        elsewhere: fraction of records whose place was no candidate.
        about: what ``run.json`` says of the files.
        records: of all histories.
    """

    train: NextGruRows
    validate: NextGruRows
    vocabulary: Vocabulary
    elsewhere: float
    about: list[dict[str, Any]]
    records: NextRecords


@dataclass(frozen=True)
class NextGruRecipe(TorchRecipe[NextGruData]):
    """How the network is trained on histories.

    Attributes:
        settings: of the network and its training.
        tables: histories, as sessions.
    """

    settings: NextGruSettings
    tables: list[SessionTable]

    type = TYPE
    uses_transformers = False

    @contextmanager
    def prepare(self) -> Iterator[NextGruData]:
        """Compute features and contexts.

        Raises:
            HumobError: too few records.
        """
        records = gather(self.tables, None)
        vocabulary = Vocabulary(records.places.names, records.uids)
        train, validate, elsewhere = training_parts(records, vocabulary, self.settings)
        about = describe_tables(self.tables)
        yield NextGruData(train, validate, vocabulary, elsewhere, about, records)

    def identify(self, data: NextGruData) -> dict[str, Any]:
        """The files."""
        return {"tables": data.about}

    def plan(self, data: NextGruData, processes: int) -> TrainingPlan:
        """Epochs, or a number of steps."""
        batches = max(1, len(data.train) // (self.settings.batch_size * processes))
        return plan_epochs(
            self.settings,
            batches,
            1,
            unit="records",
            batch=self.settings.batch_size * processes,
            best="validation_loss",
        )

    def network(self, data: NextGruData, device: torch.device) -> NextGruNetwork:
        """The network, with the features' means and deviations."""
        found = NextGruNetwork(
            self.settings, len(NAMES), len(data.vocabulary.places), len(data.vocabulary.users)
        )
        present = data.train.z[data.train.there]
        found.mean.copy_(present.mean(dim=0))
        found.scale.copy_(present.std(dim=0) + 1e-6)
        return found.to(device)

    def optimizer(self, network: torch.nn.Module) -> torch.optim.Optimizer:
        """AdamW; the copying part learns faster than embeddings, which soon know by heart."""
        settings = self.settings
        copying = [one for name, one in network.named_parameters() if name.startswith("copying")]
        others = [one for name, one in network.named_parameters() if not name.startswith("copying")]
        return torch.optim.AdamW(
            [
                {
                    "params": copying,
                    "lr": settings.learning_rate,
                    "weight_decay": settings.weight_decay,
                },
                {
                    "params": others,
                    "lr": settings.embedding_learning_rate,
                    "weight_decay": settings.embedding_weight_decay,
                },
            ]
        )

    def batches(self, data: NextGruData, share: Share, device: torch.device) -> Batches:
        """Records in an order that follows from seed and epoch alone."""
        settings, rows = self.settings, data.train
        size = settings.batch_size * share.size
        in_epoch = max(1, len(rows) // size)

        def draw(step: int) -> list[NextGruRows]:
            epoch, at = divmod(step, in_epoch)
            order = np.random.default_rng((settings.seed, epoch)).permutation(len(rows))
            mine = order[at * size : (at + 1) * size][share.rank :: share.size]
            # What dropout draws, other things in every process.
            torch.manual_seed(settings.seed * SEED_STRIDE + step + (share.rank << 40))
            return [rows.take(torch.from_numpy(mine)).to(device)]

        return draw

    def losses(
        self, network: NextGruNetwork, batch: NextGruRows, group: Group
    ) -> dict[str, Tensor]:
        """Cross-entropy of the true candidate, in nats a record."""
        loss = functional.cross_entropy(network(batch), batch.truth)
        return {"loss": loss.double() / group.size}

    @torch.no_grad()
    def validate(
        self, network: NextGruNetwork, data: NextGruData, device: torch.device
    ) -> dict[str, float]:
        """Loss and hits of the last window."""
        network.eval()
        loss, hits, rows = 0.0, 0, data.validate
        for begin in range(0, len(rows), _TOGETHER):
            part = rows.take(slice(begin, begin + _TOGETHER)).to(device)
            scores = network(part)
            loss += float(functional.cross_entropy(scores, part.truth, reduction="sum"))
            hits += int((scores.argmax(dim=1) == part.truth).sum())
        return {"validation_loss": loss / len(rows), "validation_acc@1": hits / len(rows)}

    def rehearse(self, network: NextGruNetwork, data: NextGruData, device: torch.device) -> Costs:
        """A validation, by that of some records."""
        few = data.validate.take(slice(0, _TOGETHER))
        started = time.monotonic()
        self.validate(network, replace(data, validate=few), device)
        return Costs((time.monotonic() - started) / len(few) * len(data.validate))

    def describe_scores(self, record: Mapping[str, Any]) -> str:
        """Loss and hits of the last window."""
        if "validation_loss" not in record:
            return ""
        return (
            f"of the last window {record['validation_loss']:.4f}, "
            f"{record['validation_acc@1']:.1%} hit"
        )

    def describe(self, data: NextGruData, training: TorchTraining) -> str:
        """Records, parameters, steps."""
        network, plan = training.network, training.plan
        return (
            f"records: {len(data.train):,} to train on, {len(data.validate):,} to validate\n"
            f"parameters: {sum(one.numel() for one in network.parameters()):,}\n"
            f"training: {plan.steps:,} steps of {plan.batch} records"
        )

    def finish(self, training: TorchTraining, data: NextGruData, log: TrainingLog) -> TrainedModel:
        """The network, its vocabulary and the features that it belongs to."""
        arrays = {name: one.cpu().numpy() for name, one in training.kept.state_dict().items()}
        kept = log.best_step or training.step
        scored = [one for one in log.records if "validation_loss" in one and one["step"] == kept]
        scores = {key: value for key, value in (scored or [{}])[-1].items() if "validation" in key}
        gained = say_gained(
            TYPE,
            lambda city: NextGru(
                city, training.kept, data.vocabulary, self.settings, data.elsewhere
            ),
            data.records,
            self.settings.windows(),
        )
        return TrainedModel(
            notes={"tables": data.about, "rows": len(data.train), "kept_step": kept},
            scores={**scores, "elsewhere": data.elsewhere, **gained},
            config={
                "settings": asdict(self.settings),
                "features": list(NAMES),
                "elsewhere": data.elsewhere,
                "places": data.vocabulary.places,
                "users": data.vocabulary.users,
            },
            arrays=arrays,
        )
