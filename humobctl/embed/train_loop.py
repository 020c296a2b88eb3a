"""Training: steps, validation, early stopping, and states to go on from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from humobctl.console import report
from humobctl.embed.config import Settings
from humobctl.embed.data import Drawn, Order, Rows, draw
from humobctl.embed.model import Network, contrast
from humobctl.io.streams import clear_os_errors
from humobctl.native import Int64s
from humobctl.training import torch_loop
from humobctl.training.distributed import Group
from humobctl.training.torch_loop import METRICS, MOST_GRADIENT, SEED_STRIDE, STATE

_VALIDATION_ROUNDS = 3
"""Times that each validation user's spans are drawn."""


@dataclass(frozen=True)
class People:
    """Numbers of the users to learn from and to validate on.

    Attributes:
        train: users to learn from, (k,).
        validate: users to validate on, (v,); none for a training to its last step.
    """

    train: Int64s
    validate: Int64s


class Losses(nn.Module):
    """The loss of a network, as a module, whose gradients processes can add up.

    Args:
        network: to be trained.
        settings: objective and weights.
        group: the processes that share the batch.
    """

    def __init__(self, network: Network, settings: Settings, group: Group | None = None) -> None:
        super().__init__()
        self.network, self.settings, self.group = network, settings, group or Group()

    def forward(self, drawn: Drawn) -> dict[str, Tensor]:
        """The loss, and what it is made of.

        ``inside`` and ``following`` are cross-entropies in nats of a row's x and y, rebuilt from
        the vector and the time, and told from the vector, the time and the cell before, means over
        the rows of all processes; ``contrast`` is that of finding a user's other span among all
        users. The first two are this process's addends of the mean; ``loss`` is so weighted that
        the mean of its gradient over the processes is that of the whole batch.
        """
        settings, network, group = self.settings, self.network, self.group
        vectors = network.encoder(drawn.spans)
        found: dict[str, Tensor] = {}
        total: Tensor = vectors.new_zeros(())
        if settings.objective != "contrast":
            inside = network.decoder(vectors, drawn.inside, None)
            following = network.decoder(vectors, drawn.following, drawn.before)
            found["inside"] = inside / max(1, drawn.inside_rows)
            found["following"] = following / max(1, drawn.following_rows)
            total = total + found["inside"] + found["following"]
        mine = vectors.unflatten(0, (2, -1)).transpose(0, 1)
        pairs = group.all_rows(mine, drawn.users).transpose(0, 1)
        if settings.objective != "reconstruct":
            weight = settings.contrast_weight if settings.objective == "both" else 1.0
            found["contrast"] = contrast(pairs, settings.temperature)
            total = total + weight * found["contrast"]
        alike = pairs[0].detach() @ pairs[1].detach().T
        right = torch.arange(len(alike), device=alike.device)
        found["top1"] = (alike.argmax(1) == right).float().mean()
        return {"loss": total * group.size, **found}


class Training:
    """A training under way.

    What is drawn in a step follows from the seed and its number alone: a training that goes on is
    the same to the last bit.
    """

    def __init__(
        self,
        network: Network,
        rows: Rows,
        people: People,
        settings: Settings,
        group: Group | None = None,
    ) -> None:
        self.group = group or Group()
        self.network, self.rows, self.people, self.settings = network, rows, people, settings
        self.device = next(network.parameters()).device
        self.optimizer = torch.optim.AdamW(
            network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        of_step = settings.batch_size * self.group.size
        self.order = Order(people.train, rows.city[people.train], of_step, settings.seed)
        self.losses = Losses(network, settings, self.group)
        self.stepped = self.group.wrap(self.losses, some_unused=settings.objective == "contrast")
        self.step = 0
        self.best: dict[str, Tensor] = {}
        self.best_loss, self.best_step = math.inf, 0

    def rate(self) -> float:
        """Learning rate of the next step."""
        return torch_loop.rate(self.step, self.settings.steps, self.settings)

    def advance(self) -> dict[str, float]:
        """One step; its losses.

        Raises:
            HumobError: the loss became no number.
        """
        settings = self.settings
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        random = np.random.default_rng((settings.seed, 2, self.step))
        share = self.group.share
        # What dropout draws, other things in every process.
        torch.manual_seed(settings.seed * SEED_STRIDE + self.step + (share.rank << 40))
        users = self.order.batch(self.step)
        drawn = draw(self.rows, users, settings, random, plain=False, share=share)
        self.network.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=settings.precision == "bf16"):
            found = self.stepped(drawn.to(self.device))
        self.optimizer.zero_grad(set_to_none=True)
        found["loss"].backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), MOST_GRADIENT)
        self.optimizer.step()
        self.step += 1
        values = self._whole({name: value.detach() for name, value in found.items()})
        remedy = "a lower --learning-rate or a longer --warmup"
        torch_loop.check_loss(values["loss"], self.step, self.rate(), remedy)
        return values

    def _whole(self, found: dict[str, Tensor]) -> dict[str, float]:
        """Losses of all processes' rows."""
        if self.group.size > 1:
            parts = [name for name in ("inside", "following") if name in found]
            mine = torch.stack([found["loss"] / self.group.size, *(found[name] for name in parts)])
            # The contrast is the same in all processes, and in the loss of each.
            alone = mine[0] - mine[1:].sum()
            whole = self.group.sums(mine)
            found |= dict(zip(parts, whole[1:], strict=True))
            found["loss"] = whole[1:].sum() + alone
        return {name: float(value) for name, value in found.items()}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Losses of users that are not trained on: the same spans each time, without noise."""
        settings, rows = self.settings, self.rows
        alone = Losses(self.network, settings).eval()
        sums: dict[str, float] = {}
        users = 0
        for number in range(_VALIDATION_ROUNDS):
            random = np.random.default_rng((settings.seed, 3, number))
            for city in np.unique(rows.city[self.people.validate]).tolist():
                here = self.people.validate[rows.city[self.people.validate] == city]
                for begin in range(0, len(here), settings.batch_size):
                    batch = here[begin : begin + settings.batch_size]
                    drawn = draw(rows, batch, settings, random, plain=True)
                    found = alone(drawn.to(self.device))
                    users += len(batch)
                    for name, value in found.items():
                        sums[name] = sums.get(name, 0.0) + float(value) * len(batch)
        return {f"validation_{name}": value / users for name, value in sums.items()}

    def keep_if_best(self, loss: float) -> None:
        """Remember the weights if no earlier ones were better."""
        if loss < self.best_loss:
            self.best_loss, self.best_step = loss, self.step
            state = self.network.state_dict()
            self.best = {name: value.detach().clone() for name, value in state.items()}

    @property
    def over(self) -> bool:
        """Whether all steps are done, or the best ones are long past."""
        settings = self.settings
        waited = (self.step - self.best_step) // settings.evaluate_every
        stopped = bool(settings.patience) and math.isfinite(self.best_loss)
        return self.step >= settings.steps or (stopped and waited >= settings.patience)

    def save(self, path: Path) -> None:
        """Write all that is needed to go on, whole or not at all."""
        numbers = {
            "step": torch.tensor([self.step, self.best_step]),
            "best_loss": torch.tensor(self.best_loss, dtype=torch.float64),
        }
        parts = {"network": self.network.state_dict(), "best": self.best}
        torch_loop.save_state(path, parts, self.optimizer, numbers)

    def restore(self, path: Path) -> None:
        """Go on from what ``save`` wrote."""
        parts, numbers = torch_loop.load_state(path, self.optimizer, self.device)
        self.step, self.best_step = numbers["step"].tolist()
        self.best_loss = float(numbers["best_loss"])
        self.network.load_state_dict(parts["network"])
        self.best = parts.get("best", {})


def train(
    network: Network,
    rows: Rows,
    people: People,
    settings: Settings,
    work: Path,
    group: Group | None = None,
) -> tuple[int, list[dict[str, Any]]]:
    """Train a network, from the state in ``work`` if there is one; it ends with its best weights.

    Args:
        network: what to train, on its device.
        rows: the columns.
        people: who is trained on, and who validates.
        settings: of the training.
        work: folder of the state and the log.
        group: the processes that train together; None for this one alone.

    Returns:
        The step of the weights that were kept, and one record a log: step, losses, learning rate.

    Raises:
        HumobError: the loss became no number.
    """
    training = Training(network, rows, people, settings, group)
    with clear_os_errors(str(work)):
        if (work / STATE).is_file():
            training.restore(work / STATE)
        records = torch_loop.records_until(work / METRICS, training.step)
        _run(training, work, records)
    if training.best:
        network.load_state_dict(training.best)
    network.eval()
    return training.best_step or training.step, records


def _run(training: Training, work: Path, records: list[dict[str, Any]]) -> None:
    settings, group = training.settings, training.group
    begin = training.step
    steps: list[dict[str, float]] = []
    with report.progress("training", settings.steps - begin, "steps") as ticker:
        while not training.over:
            steps.append(training.advance())
            ticker.move_to(training.step - begin)
            if training.step % settings.evaluate_every and training.step < settings.steps:
                continue
            means = {name: float(np.mean([one[name] for one in steps])) for name in steps[0]}
            record = {"step": training.step, **means, "learning_rate": training.rate()}
            steps = []
            if len(training.people.validate):
                record |= group.tell(training.validate()) if group.main else group.hear()
                training.keep_if_best(record["validation_loss"])
            records.append(record)
            if group.main:
                torch_loop.write_records(work / METRICS, records)
                training.save(work / STATE)
            report.info(_words(record, settings.steps))
    if training.step < settings.steps:
        report.info(
            f"stopped: no better validation loss in the last {settings.patience} of them "
            "(--patience)"
        )


def _words(record: dict[str, Any], steps: int) -> str:
    text = f"step {record['step']:,}/{steps:,} loss {record['loss']:.4f}"
    if "validation_loss" not in record:
        return text
    return (
        f"{text}, of users not trained on {record['validation_loss']:.4f}, other span found "
        f"{record['validation_top1']:.0%}"
    )
