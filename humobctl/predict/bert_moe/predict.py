"""A trained bert-moe as a predictor: distributions over cells, many users at a time.

Shapes:  K known rows, r rows to predict of a user, L past rows, P rows predicted at once,
         k candidate cells.

A user's rows to predict are cut into windows of P rows. With a horizon, all windows look at the
known rows and go through the network together. Without one, they follow each other, as published:
the likeliest cells of a window are known rows to the next.

Candidates are the user's own cells and the network's likeliest others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from humobctl.errors import UsageError
from humobctl.native import Bools, Floats, Int64s
from humobctl.predict.base import (
    PredictOptions,
    SlotDistributions,
    UserHistory,
    normalize,
)
from humobctl.predict.bert_moe.config import BertMoeSettings
from humobctl.predict.bert_moe.data import (
    Ints,
    assemble,
    gap_codes,
    padded_shape,
)
from humobctl.predict.bert_moe.model import BertMoe, BertMoeConfig, Prediction, load_network
from humobctl.predict.city_profile import BatchPredictor, CityProfile
from humobctl.tables.cells import decode_cells, encode_cells
from humobctl.training.device import (
    MOST_BESIDE,
    choose_precision,
    set_up,
    side_by_side,
    torch_device,
)
from humobctl.training.model_dir import Checkpoint

OTHERS = 16
"""Candidates beside the user's own cells."""
_TOKENS = 4_096
"""Rows of a batch, padding included: little padding, and activations that stay in the cache."""
_FEW = 512
"""Rows that are not worth sharing out."""


@dataclass
class _User:
    """One user's rows in order, known and to predict, and what has been found out so far."""

    history: UserHistory
    order: Int64s = field(init=False)
    d: Int64s = field(init=False)
    t: Int64s = field(init=False)
    cell: Int64s = field(init=False)
    known: Bools = field(init=False)
    before: Ints = field(init=False)
    after: Ints = field(init=False)

    def __post_init__(self) -> None:
        user = self.history
        d, t = np.append(user.d, user.target_d), np.append(user.t, user.target_t)
        self.order = np.argsort(d * 64 + t, kind="stable")
        self.d, self.t = d[self.order], t[self.order]
        cell = np.append(encode_cells(user.x, user.y), np.full(len(user.target_d), -1))
        self.cell = cell[self.order]
        self.known = self.cell >= 0
        first = np.arange(len(d)) == 0
        self.before, self.after = gap_codes(self.d, self.t, first)
        self.own = np.unique(self.cell[self.known])
        self.targets = np.flatnonzero(~self.known)
        self.own_p = np.zeros((len(self.targets), len(self.own)))
        self.other_cells = np.zeros(0, np.int64)
        self.other_p: list[tuple[int, Ints, Floats]] = []


@dataclass(frozen=True)
class _Window:
    """Targets ``begin`` to ``end`` of a user, seen from known rows ``past`` on."""

    user: _User
    begin: int
    end: int
    past: Int64s
    anchor: int


class BertMoePredictor(BatchPredictor):
    """Predicts with a trained network."""

    batch_users = 64

    def __init__(
        self,
        network: BertMoe,
        city: CityProfile,
        *,
        city_number: int = 0,
        device: str = "cpu",
        precision: str = "fp32",
    ) -> None:
        """Take a network to use in one city.

        Args:
            network: the trained network.
            city: weekdays and days off, and where people are who have no known row.
            city_number: of the city in the network; 0 for one it was not trained on.
            device: of torch.
            precision: fp32, or bf16 for the matrix products.
        """
        self.network = network.eval().to(device)
        self.city, self.city_number = city, city_number
        self.device, self.precision = torch.device(device), precision

    @property
    def settings(self) -> BertMoeSettings:
        """The network's settings."""
        settings: BertMoeSettings = self.network.settings
        return settings

    def of_known(self, users: list[UserHistory]) -> list[SlotDistributions]:
        """What the network says, window by window."""
        people = [_User(user) for user in users]
        rounds = _rounds([one for one in people if len(one.targets)], self.settings)
        beside = MOST_BESIDE if self.device.type == "cpu" else 1
        for windows in rounds:
            side_by_side(self._predict, _batches(windows, beside), self.device)
        return [_answer(person) for person in people]

    def _predict(self, windows: list[_Window]) -> None:
        """Add what the network says of some windows to their users."""
        bf16 = self.precision == "bf16"
        autocast = torch.autocast(self.device.type, torch.bfloat16, enabled=bf16)
        with torch.inference_mode(), autocast:
            self._look(windows)

    def _look(self, windows: list[_Window]) -> None:
        inputs, there, past = _inputs(windows, self.city, self.city_number, self.settings)
        tensors = {name: values.to(self.device) for name, values in inputs.items()}
        tensors.pop("labels")
        out: Prediction = self.network(**tensors)
        asked = torch.from_numpy(there[:, past:]).to(self.device)
        assert out.states is not None
        rows, _ = self.network.mix_experts(out.states[asked])
        own = [window.user.own for window in windows]
        generated = self._generate(rows, own, there[:, past:].sum(axis=1))
        copied = None if out.copied is None else out.copied.float().cpu().numpy()
        left = None if out.generated is None else out.generated.float().cpu().numpy()
        location = inputs["location"].numpy()
        for i, window in enumerate(windows):
            count = window.end - window.begin
            own_p, cells, cells_p = generated[i]
            if copied is not None and left is not None:
                share = left[i, :count, None]
                own_p, cells_p = own_p * share, cells_p * share
                seen = there[i, :past]
                number = np.searchsorted(window.user.own, location[i, seen])
                mass = np.zeros((count, len(window.user.own)))
                np.add.at(mass.T, number, copied[i, :count, seen].astype(np.float64))
                own_p = own_p + mass
            user = window.user
            user.own_p[window.begin : window.end] = own_p
            user.other_p.append((window.begin, cells, cells_p))
            if not self.settings.horizon:
                user.cell[user.targets[window.begin : window.end]] = _likeliest(
                    user.own, own_p, cells, cells_p
                )

    def _generate(
        self, rows: Tensor, own: list[Int64s], counts: Int64s
    ) -> list[tuple[Floats, Ints, Floats]]:
        """For each window: shares of the user's own cells, and the likeliest others with theirs.

        The shares are those of a softmax over the visited cells and the user's own.
        """
        weights = self.network.head(self.network.cells())
        kind = torch.bfloat16 if self.precision == "bf16" else torch.float32
        head = (weights[0].to(kind), weights[1].to(kind))
        # Window by window: scores of all windows over all cells would not stay in the cache.
        parts = zip(torch.split(rows.to(kind), counts.tolist()), own, strict=True)
        return [self._window_shares(*part, head) for part in parts]

    def _window_shares(
        self, rows: Tensor, own: Int64s, head: tuple[Tensor, Tensor]
    ) -> tuple[Floats, Ints, Floats]:
        logits = torch.nn.functional.linear(rows, *head).float()
        visited = self.network.cells()
        mine = torch.from_numpy(own).to(self.device)
        known = self.network.visited[mine]
        largest = logits.amax(dim=1, keepdim=True)
        own_p = torch.zeros(len(rows), len(own), device=self.device)
        if not known.all():
            new = torch.nn.functional.linear(rows, *self.network.head(mine[~known])).float()
            largest = torch.maximum(largest, new.amax(dim=1, keepdim=True))
            own_p[:, ~known] = (new - largest).exp()
        p = logits.sub_(largest).exp_()
        place = torch.searchsorted(visited, mine[known])
        own_p[:, known] = p[:, place]
        p[:, place] = 0
        share = 1 / (p.sum(dim=1) + own_p.sum(dim=1))
        best = (share @ p).topk(min(OTHERS, p.shape[1])).indices
        return (
            (own_p * share[:, None]).double().cpu().numpy(),
            visited[best].cpu().numpy(),
            (p[:, best] * share[:, None]).double().cpu().numpy(),
        )


def _rounds(users: list[_User], settings: BertMoeSettings) -> Iterator[list[_Window]]:
    """Windows that can go through the network together, round after round."""
    most = max((len(user.targets) for user in users), default=0)
    rounds = (
        [_window(user, begin, settings) for user in users if begin < len(user.targets)]
        for begin in range(0, most, settings.prediction_length)
    )
    # A window without a horizon waits for the answers of the one before it.
    yield from [[w for part in rounds for w in part]] if settings.horizon else rounds


def _window(user: _User, begin: int, settings: BertMoeSettings) -> _Window:
    end = min(begin + settings.prediction_length, len(user.targets))
    rows = user.targets[begin:end]
    known = np.flatnonzero(user.cell >= 0)
    # Known rows between those to predict count too.
    stop = int(np.searchsorted(known, rows[-1]))
    if stop == 0:
        stop = min(len(known), settings.input_length)
    past = known[max(0, stop - settings.input_length) : stop]
    earlier = past[past < rows[0]]
    last = int(earlier[-1]) if len(earlier) else -1
    anchor = int(user.d[user.targets[np.searchsorted(user.targets, last)]])
    return _Window(user, begin, end, past, anchor)


def _batches(windows: list[_Window], beside: int, rows: int = _TOKENS) -> list[list[_Window]]:
    """Windows of like length together, in batches of up to a number of rows, all about as large.

    Batches go through the network side by side: there are as many as fill a multiple of ``beside``
    places. The cores do not matter, so that on more of them the same numbers come out.
    """
    order = sorted(windows, key=lambda w: (len(w.past), w.end - w.begin))
    batches = _cut(order, rows)
    most = -(-len(batches) // beside) * beside
    small, large = min(_FEW, rows) - 1, rows
    while large - small > 1:
        middle = (small + large) // 2
        parts = _cut(order, middle)
        if len(parts) > most:
            small = middle
        else:
            large, batches = middle, parts
    return batches


def _cut(order: list[_Window], rows: int) -> list[list[_Window]]:
    """Windows in their order as batches of up to a number of rows, padding included."""
    batches: list[list[_Window]] = []
    past = ahead = 0
    for window in order:
        past, ahead = max(past, len(window.past)), max(ahead, window.end - window.begin)
        if not batches or (past + ahead) * (len(batches[-1]) + 1) > rows:
            batches.append([])
            past, ahead = len(window.past), window.end - window.begin
        batches[-1].append(window)
    return batches


def _inputs(
    windows: list[_Window], city: CityProfile, number: int, settings: BertMoeSettings
) -> tuple[dict[str, Tensor], Bools, int]:
    """Tensors of windows, which rows are there (B, S), and the number of past rows L."""
    past, ahead = padded_shape(
        max(len(window.past) for window in windows),
        max(window.end - window.begin for window in windows),
        settings,
    )
    shape = (len(windows), past + ahead)
    there = np.zeros(shape, np.bool_)
    columns = {name: np.zeros(shape, np.int64) for name in ("d", "t", "before", "after", "cell")}
    for i, window in enumerate(windows):
        user = window.user
        rows = np.append(window.past, user.targets[window.begin : window.end])
        first = past - len(window.past)
        here = slice(first, first + len(rows))
        there[i, here] = True
        for name, values in columns.items():
            values[i, here] = getattr(user, name)[rows]
    days = np.minimum(columns["d"], len(city.weekday) - 1)
    anchor = np.array([window.anchor for window in windows], np.int64)
    cities = np.full(len(windows), number)
    tensors = assemble(columns, (city.weekday[days], city.off[days]), anchor, there, past, cities)
    return tensors, there, past


def _likeliest(own: Int64s, own_p: Floats, cells: Ints, cells_p: Floats) -> Int64s:
    joined = np.concatenate([own, cells])
    best: Int64s = joined[np.concatenate([own_p, cells_p], axis=1).argmax(axis=1)]
    return best


def _answer(user: _User) -> SlotDistributions:
    """The user's distributions over own cells and the likeliest others of all windows."""
    found = np.concatenate([cells for _, cells, _ in user.other_p])
    cells = np.unique(found)
    p = np.zeros((len(user.targets), len(cells)))
    for begin, some, some_p in user.other_p:
        p[begin : begin + len(some_p), np.searchsorted(cells, some)] = some_p
    total = p.sum(axis=0)
    keep = np.sort(np.argsort(-total, kind="stable")[:OTHERS])
    keep = keep[total[keep] > 0]
    whole = np.concatenate([user.own_p, p[:, keep]], axis=1)
    return SlotDistributions(decode_cells(np.append(user.own, cells[keep])), normalize(whole))


def from_checkpoint(
    checkpoint: Checkpoint, city: CityProfile, folder: str, options: PredictOptions
) -> BertMoePredictor:
    """A predictor from a model dir.

    Raises:
        UsageError: a city that the model was not trained on, or no such device.
    """
    set_up(options.seed)
    network = load_network(folder)
    config: BertMoeConfig = network.config
    names = config.cities
    if options.city is not None and options.city not in names:
        raise UsageError(f"--city: found {options.city!r}, expected one of {', '.join(names)}")
    name = options.city if options.city is not None else names[0] if len(names) == 1 else None
    number = 0 if name is None else names.index(name) + 1
    device = torch_device(options.device)
    precision = choose_precision(options.precision, device)
    return BertMoePredictor(
        network, city, city_number=number, device=str(device), precision=precision
    )
