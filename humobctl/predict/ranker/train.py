"""Training of the ranker: a softmax over each row's candidates, minimised by numpy.

The loss is the cross-entropy of each row's softmax over its candidates, minimised by Adam with
decoupled weight decay (Kingma and Ba, 2015; Loshchilov and Hutter, 2019). The network is so small
that numpy trains it in seconds. Its members are trained one after another.

Shapes: r rows to predict, K candidates a row, F features, B rows of a batch, H hidden.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.native import Float32s, Floats, Int32s, Int64s
from humobctl.predict.gained import ScoredUser, predict_days, predict_history, say_gained
from humobctl.predict.new_cells import fit_weights, with_best
from humobctl.predict.ranker.config import RankerConfig
from humobctl.predict.ranker.data import (
    NEVER,
    RankerCity,
    RankerSource,
    RankerTrainingSet,
    RankerUser,
    join,
    read_city,
    training_set,
    windows,
)
from humobctl.predict.ranker.features import NAMES
from humobctl.predict.ranker.gradients import Adam, first_weights, gradients, mean_and_scale
from humobctl.predict.ranker.model import Ranker, RankerNetwork, softmax, standardize, to_checkpoint
from humobctl.training.distributed import Group
from humobctl.training.recipe import (
    Costs,
    Recipe,
    TrainedModel,
    Training,
    TrainingLog,
    TrainingPlan,
)
from humobctl.training.session import check_loss, write_whole

COMPARED = RankerConfig(most_rows=20_000, members=1)
"""The ranker that scores before the days to predict need: a small one, so that it takes seconds."""
COMPARED_SECONDS = 8.0
COMPARED_BYTES = 16 * COMPARED.most_rows * COMPARED.keep * len(NAMES)
"""What it takes: four copies of its features in four bytes each."""
MOST_USERS = 100
"""Users of a city that it is trained on, or scored on, at most."""
_HELD, LEAST_SCORED = 5, 10
"""One in so many users is scored on, where that makes so many: fewer decide nothing."""
_SMALL = f"ranker of {COMPARED.most_rows:,} rows"
_ROWS_OF_NEW_CELLS, _ROWS_AT_ONCE = 50_000, 2_000


@dataclass(frozen=True)
class RankerData:
    """The training data.

    Attributes:
        rows: of all windows of all cities.
        cities: their users.
        about: what ``run.json`` says of each city.
    """

    rows: RankerTrainingSet
    cities: list[RankerCity]
    about: list[dict[str, Any]]

    def held(self) -> list[list[RankerUser]]:
        """Users of each city to score on; none at all where they are few."""
        found = [list(city.users[::_HELD][:MOST_USERS]) for city in self.cities]
        return found if sum(map(len, found)) >= LEAST_SCORED else []


@dataclass(frozen=True)
class RankerRecipe(Recipe[RankerData]):
    """How a ranker is trained on cities, each a grid trajectory.

    Masked rows are left out: the ranker learns from what is known.

    Attributes:
        settings: of the network and its training.
        paths: files of the cities.
        source: what of them is used.
    """

    settings: RankerConfig
    paths: list[str]
    source: RankerSource = field(default_factory=RankerSource)

    type = "ranker"

    @contextmanager
    def prepare(self) -> Iterator[RankerData]:
        """Read the cities, and compute the features.

        Raises:
            HumobError: a file cannot be read, or has too few days.
        """
        most = max(1, self.settings.most_rows // len(self.paths))
        config = replace(self.settings, most_rows=most)
        parts: list[RankerTrainingSet] = []
        cities, abouts = [], []
        for path in self.paths:
            city, part, about = read_city(path, self.source, config)
            cities.append(city)
            parts.append(part)
            abouts.append(about)
            del part
        yield RankerData(join(parts), cities, abouts)

    def identify(self, data: RankerData) -> dict[str, Any]:
        """The cities."""
        return {"cities": data.about}

    def start(self, data: RankerData, device: str, group: Group) -> RankerTraining:
        """The network before its first step."""
        seconds = COMPARED_SECONDS if data.held() else 0.0
        return RankerTraining(data.rows, self.settings, Costs(finish=seconds))

    def describe(self, data: RankerData, training: RankerTraining) -> str:
        """Rows and steps."""
        plan = training.plan
        return (
            f"rows: {len(data.rows.y):,} to predict, {len(NAMES)} features of each candidate\n"
            f"training: {pluralize(plan.steps, 'step')} of {pluralize(plan.batch, 'row')}"
        )

    def finish(self, training: RankerTraining, data: RankerData, log: TrainingLog) -> TrainedModel:
        """The network of all members."""
        network = training.network()
        model = to_checkpoint(
            network, self.settings, learn_new_cells(network, data.rows, self.settings)
        )
        settings = {**asdict(self.settings), "most_users": self.source.most_users}
        return TrainedModel(
            notes={"cities": data.about, "rows": len(data.rows.y), "settings": settings},
            scores={"loss": log.last_loss, **_compare(data, self.settings)},
            config=model.config,
            arrays=model.arrays,
        )


def _compare(data: RankerData, config: RankerConfig) -> dict[str, Any]:
    """What a small ranker gains on users that it was not trained on: all rows of the model are."""
    scored, cities = [], []
    for city, held in zip(data.cities, data.held(), strict=False):
        without = {user.uid for user in held}
        others = [user for user in city.users if user.uid not in without]
        cities.append(replace(city, users=others))
        for user in held:
            for first, task, truth in list(windows(user, city.last_day, config))[:1]:
                scored.append(ScoredUser(city.cities[first], task, truth.astype(np.int32)))
    if not scored:
        return {}
    small = replace(config, most_rows=COMPARED.most_rows, members=COMPARED.members)
    report.info("what a ranker gains, by a smaller one that one in five users was kept from:")
    cells = {_SMALL: predict_by_ranker(cities, scored, small)}
    return say_gained(_SMALL, scored, {**cells, "history": predict_history(scored)})


def predict_by_ranker(
    cities: Sequence[RankerCity], users: Sequence[ScoredUser], config: RankerConfig
) -> list[Int32s]:
    """Cells of each user by a ranker that is trained on a part of other users.

    Args:
        cities: whom it learns from.
        users: whom it predicts.
        config: of the ranker.

    Raises:
        HumobError: no user has days in a training window and before it.
    """
    each = replace(config, most_rows=config.most_rows // len(cities))
    sets = [training_set(one.users[:MOST_USERS], one.last_day, one.cities, each) for one in cities]
    training = RankerTraining(join(sets), each)
    with report.progress("ranker to compare with", training.plan.steps, "steps") as ticker:
        while training.step < training.plan.steps:
            training.advance()
            ticker.advance()
    network = training.network()
    return predict_days(lambda city: Ranker(city, network, config), users)


class RankerTraining(Training):
    """A ranker under training."""

    def __init__(
        self, rows: RankerTrainingSet, config: RankerConfig, costs: Costs | None = None
    ) -> None:
        """Take the rows to learn from, whose features are scaled in place, and the settings."""
        self.rows, self.config, self._costs = rows, config, costs or Costs()
        self._features = rows.z.shape[2]
        flat = rows.z.reshape(-1, self._features)
        self._mean, self._scale = mean_and_scale(flat, rows.start.ravel() > NEVER)
        standardize(flat, self._mean, self._scale)
        self._batches = -(-len(rows.y) // config.batch)
        self.plan = TrainingPlan(
            steps=config.members * config.epochs * self._batches,
            evaluate_every=self._batches,
            unit="rows",
            batch=config.batch,
        )
        self._members: list[list[Float32s]] = []
        self._chosen: list[Int64s] = []
        self._loss, self._rate = 0.0, np.float64(0)
        """The rate is numpy's: products with it are in float64."""
        self.step = 0

    def advance(self) -> None:
        """Change the weights of a member by one batch."""
        config, total = self.config, self.config.epochs * self._batches
        member, done = divmod(self.step, total)
        if done == 0:
            self._random = np.random.default_rng((config.seed, member))
            self._members.append(first_weights(self._features, config.hidden, self._random))
            self._adam = Adam(self._members[-1], config.decay)
        if done % self._batches == 0:
            order = self._random.permutation(len(self.rows.y))
            self._chosen = np.array_split(order, self._batches)
        self._rate = config.rate * 0.5 * (1.0 + np.cos(np.pi * (done / total)))
        chosen = self._chosen[done % self._batches]
        slopes, lost = gradients(self.rows, chosen, self._members[-1])
        check_loss(lost, self.step + 1, self._rate, "fewer --rows, or check the input")
        self._adam.step(slopes, self._rate)
        self._loss += lost
        self.loss = lost / len(chosen)
        self.step += 1

    def rehearse(self) -> Costs:
        """What comes after the last step, as it was found once."""
        return self._costs

    def sizes(self) -> tuple[int, int]:
        """Bytes of a state with all members, and of the model."""
        one = sum(weights.nbytes for weights in self._members[-1])
        return (self.config.members + 2) * one, self.config.members * one

    def network(self) -> RankerNetwork:
        """The network of all members that are trained."""
        w0, b0, w1, b1, w2, b2 = (np.stack(one) for one in zip(*self._members, strict=True))
        return RankerNetwork(self._mean, self._scale, w0, b0, w1, b1, w2[:, :, 0], b2[:, 0])

    def collect_losses(self) -> dict[str, float]:
        """The mean loss since the last call, an epoch ago, in nats a row."""
        loss, self._loss = self._loss, 0.0
        return {"loss": loss / float(self.rows.weight.sum())}

    def note(self) -> dict[str, float]:
        """The learning rate; which member, and which of its epochs."""
        member, epoch = divmod((self.step - 1) // self._batches, self.config.epochs)
        return {"learning_rate": float(self._rate), "member": member, "epoch": epoch}

    def save(self, path: Path, numbers: Mapping[str, float], *, write: bool) -> None:
        """Write the weights of all members so far, and the moments of the last one."""
        from safetensors.numpy import save_file  # noqa: PLC0415 - only models need it

        parts = {f"member{i}": weights for i, weights in enumerate(self._members)}
        parts |= {"mean": self._adam.mean, "square": self._adam.square}
        arrays: dict[str, Any] = {
            f"{part}.{i}": one for part, values in parts.items() for i, one in enumerate(values)
        }
        arrays |= {name: np.array([value]) for name, value in numbers.items()}
        arrays |= {"step": np.array([self.step]), "lost": np.array([self._loss])}
        write_whole(path, lambda partial: save_file(arrays, partial))

    def restore(self, path: Path) -> dict[str, float]:
        """Continue from what ``save`` wrote."""
        from safetensors.numpy import load_file  # noqa: PLC0415

        arrays, config = load_file(path), self.config
        self.step, self._loss = int(arrays.pop("step")[0]), float(arrays.pop("lost")[0])
        count = -(-self.step // (config.epochs * self._batches))

        def take(part: str) -> list[Float32s]:
            return [arrays.pop(f"{part}.{i}") for i in range(6)]

        self._members = [take(f"member{i}") for i in range(count)]
        self._adam = Adam(self._members[-1], config.decay)
        self._adam.mean, self._adam.square = take("mean"), take("square")
        # What the last member has drawn so far: its first weights, and an order an epoch.
        self._random = np.random.default_rng((config.seed, count - 1))
        first_weights(self._features, config.hidden, self._random)
        done = self.step - (count - 1) * config.epochs * self._batches
        for _ in range(-(-done // self._batches)):
            order = self._random.permutation(len(self.rows.y))
        self._chosen = np.array_split(order, self._batches)
        self._adam.steps = done
        return {name: float(value[0]) for name, value in arrays.items()}


def learn_new_cells(
    network: RankerNetwork, rows: RankerTrainingSet, config: RankerConfig
) -> Floats:
    """Weights of the chance of a cell new to the user, on rows whose features are scaled."""
    some = np.arange(0, len(rows.y), max(1, len(rows.y) // _ROWS_OF_NEW_CELLS))
    best = np.empty(len(some))
    for at in range(0, len(some), _ROWS_AT_ONCE):
        z, start = rows.z[some[at : at + _ROWS_AT_ONCE]], rows.start[some[at : at + _ROWS_AT_ONCE]]
        scores = network.scores(z.reshape(-1, z.shape[2])).reshape(start.shape)
        shares = softmax((scores + start).astype(np.float64) / config.temperature)
        best[at : at + len(z)] = shares.max(axis=1)
    return fit_weights(with_best(rows.past[some], best), rows.new[some])
