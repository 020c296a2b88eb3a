"""Prediction with the published template: its JSON is forced, only the cells are decoded.

All but the digits of the cells is known before: the fence, the reason, brackets, days and slots.
These tokens go through the network a run at a time, into a key-value cache that all rows share, and
are never chosen. The digits of a cell are walked down a trie of the candidate cells, so that no
other number can come out. People go side by side, each with its own place in the answer.

At each branch of the trie, the branches that are not taken keep their share of the probability,
which is spread over their cells by how often the person was there. So a row gets a distribution,
exact for the cell that is walked to and by branch for the others.

Shapes:  B people, r rows to predict, k candidate cells.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import transformers

from humobctl.console import report
from humobctl.errors import HumobError
from humobctl.llm.forward import UNFIT, agree, context_of, masks, plain_scores
from humobctl.llm.load import Loaded, inference, past_name
from humobctl.native import Floats, Int32s
from humobctl.predict.base import (
    SlotDistributions,
    UserHistory,
    candidates,
    normalize,
)
from humobctl.predict.city_profile import BatchPredictor, CityProfile
from humobctl.predict.llama import template_published
from humobctl.predict.llama.data import fit_history, plain
from humobctl.predict.llama.predict_compact import TokenTally, pad_right, with_neighbours
from humobctl.tables.cells import CELLS, decode_cells, encode_cells
from humobctl.tables.schemas import GRID_SIDE

_FLOOR = 1e-3
"""Visits that a candidate without one counts as, where a branch is spread over its cells."""


@dataclass
class Branch:
    """A node of the trie of candidate cells.

    Attributes:
        cells: numbers of the candidates below.
        children: by token.
    """

    cells: list[int] = field(default_factory=list)
    children: dict[int, Branch] = field(default_factory=dict)


def trie(tokenizer: Any, cells: Int32s) -> Branch:
    """The candidate cells as the tokens that write them."""
    root = Branch()
    texts = [template_published.row_cell(int(x), int(y)) for x, y in cells]
    for number, ids in enumerate(tokenizer(texts, add_special_tokens=False)["input_ids"]):
        node = root
        node.cells.append(number)
        for token in ids:
            node = node.children.setdefault(token, Branch())
            node.cells.append(number)
    return root


@dataclass
class _Walk:
    """The state of one user's answer."""

    user: UserHistory
    cells: Int32s
    weight: Floats
    root: Branch
    heads: list[list[int]]
    p: Floats = field(init=False)
    row: int = 0
    node: Branch = field(init=False)
    left: float = 1.0

    def __post_init__(self) -> None:
        self.p = np.zeros((len(self.heads), len(self.cells)))
        self.node = self.root

    @property
    def done(self) -> bool:
        """Whether all rows are answered."""
        return self.row == len(self.heads)

    def force(self) -> list[int]:
        """Tokens until the next branch, which are then behind us; a row that ends goes on."""
        tokens: list[int] = []
        while not self.done:
            while len(self.node.children) == 1:
                ((token, self.node),) = self.node.children.items()
                tokens.append(token)
            if self.node.children:
                return tokens
            self._close()
            if not self.done:
                tokens += self.heads[self.row]
        return tokens

    def _close(self) -> None:
        for cell in self.node.cells:
            self.p[self.row, cell] += self.left / len(self.node.cells)
        self.row, self.node, self.left = self.row + 1, self.root, 1.0

    def choose(self, scores: Floats) -> int:
        """Take the likeliest branch; the others keep their shares.

        Args:
            scores: of all tokens.
        """
        tokens = list(self.node.children)
        shares = np.exp(scores[tokens] - scores[tokens].max())
        shares = self.left * shares / shares.sum()
        best = int(shares.argmax())
        for number, token in enumerate(tokens):
            if number != best:
                below = self.node.children[token].cells
                weight = self.weight[below]
                self.p[self.row, below] += shares[number] * weight / weight.sum()
        self.left = float(shares[best])
        self.node = self.node.children[tokens[best]]
        return tokens[best]


class PublishedPredictor(BatchPredictor):
    """Distributions over cells by the prompts of Llama-3-8B-Mob.

    Attributes:
        tally: tokens so far.
    """

    def __init__(
        self,
        loaded: Loaded,
        city: CityProfile,
        *,
        batch: int | None = None,
        bf16: bool = False,
        candidates: str = "own",
    ) -> None:
        """Take a model to use in one city.

        Args:
            loaded: the model and its tokenizer.
            city: where people are who have no known row.
            batch: people at once; None for 4 on a CPU and 8 elsewhere.
            bf16: compute in bf16.
            candidates: a person's own cells (own), those around them, too (near), or all.
        """
        self.city, self.candidates = city, candidates
        self.batch_users = batch or (4 if loaded.device == "cpu" else 8)
        self.tally = TokenTally()
        self._loaded, self._bf16 = loaded, bf16
        self._context = context_of(loaded.model)
        self._everywhere: tuple[Int32s, Branch] | None = None

    def of_known(self, users: list[UserHistory]) -> list[SlotDistributions]:
        """The distribution that each user's descent of the trie gives.

        Raises:
            HumobError: not even the question fits into the context, or no memory is left.
        """
        dropped = self.tally.dropped_days
        started = [self._start(user) for user in users]
        if self.tally.dropped_days > dropped:
            report.warn(
                f"{self.tally.dropped_days - dropped} days of history were dropped, the oldest "
                f"first, to fit {len(users)} users into a context of {self._context} tokens"
            )
        with inference(self._loaded.device, len(users), bf16=self._bf16):
            self._walk([prompt for prompt, _ in started], [walk for _, walk in started])
        self.tally.users += len(users)
        return [SlotDistributions(walk.cells, normalize(walk.p + 1e-12)) for _, walk in started]

    def _start(self, user: UserHistory) -> tuple[list[int], _Walk]:
        """A person's prompt, up to the first row, and the way from there."""
        tokenizer = self._loaded.tokenizer
        heads = [
            plain(tokenizer, template_published.row_head(int(d), int(t), first=number == 0))
            for number, (d, t) in enumerate(zip(user.target_d, user.target_t, strict=True))
        ]
        cells, root, weight = self._cells_of(user)
        longest = 2 * len(plain(tokenizer, template_published.row_cell(GRID_SIDE, GRID_SIDE)))
        begin = plain(tokenizer, template_published.HEAD)
        room = self._context - sum(map(len, heads)) - longest * len(heads) - len(begin)
        fitted = fit_history(user, tokenizer, room)
        if fitted is None:
            raise HumobError(
                f"user {user.uid}: found {len(heads)} rows to predict, too many for a context of "
                f"{self._context} tokens even without history; try --template compact"
            )
        _, prompt, dropped = fitted
        self.tally.dropped_days += dropped
        return [*prompt, *begin, *heads[0]], _Walk(user, cells, weight, root, heads)

    def _cells_of(self, user: UserHistory) -> tuple[Int32s, Branch, Floats]:
        own, index = candidates(user)
        visits = np.bincount(index, minlength=len(own)).astype(np.float64)
        if self.candidates == "own":
            return own, trie(self._loaded.tokenizer, own), visits
        if self.candidates == "near":
            wider = with_neighbours(SlotDistributions(own, normalize(visits)[None]))
            return wider.cells, trie(self._loaded.tokenizer, wider.cells), wider.p[0]
        if self._everywhere is None:
            cells = decode_cells(np.arange(CELLS))
            self._everywhere = cells, trie(self._loaded.tokenizer, cells)
        cells, root = self._everywhere
        weight = np.full(len(cells), _FLOOR)
        weight[encode_cells(own[:, 0], own[:, 1])] += visits
        return cells, root, weight

    def _walk(self, prompts: list[list[int]], walks: list[_Walk]) -> None:
        """Decode all users to the end of their answers, one branch a step."""
        if not walks:
            return
        runs = [[*prompt, *walk.force()] for prompt, walk in zip(prompts, walks, strict=True)]
        state = _State(self._loaded, len(walks), self.tally)
        tokens: list[int] = []
        last = np.zeros(0)
        try:
            while any(not walk.done for walk in walks):
                scores = state.feed(runs)
                if runs[0]:
                    tokens += runs[0]
                    last = scores[0]
                for number, walk in enumerate(walks):
                    runs[number] = []
                    if not walk.done:
                        runs[number] = [walk.choose(scores[number]), *walk.force()]
                        self.tally.generated += 1
        except UNFIT as exc:
            if isinstance(exc, torch.OutOfMemoryError) or "walked" in self._loaded.compared:
                raise
            raise self._unfit() from exc
        if self._loaded.is_new("walked", len(tokens)):
            model = self._loaded.model
            plain_pass = plain_scores(model, tokens).log_softmax(0).double().cpu().numpy()
            if not agree(model, last, plain_pass):
                raise self._unfit()

    def _unfit(self) -> HumobError:
        return HumobError(
            f"--model: found the architecture {self._loaded.architecture}, whose scores step by "
            "step are not those of a plain pass; try --template compact"
        )


class _State:
    """A key-value cache of several people, who are at different places.

    Runs of unequal length are padded on the right; what is padding is masked for good, so that
    nothing in the cache ever moves.
    """

    def __init__(self, loaded: Loaded, people: int, tally: TokenTally) -> None:
        self._model, self._device, self._tally = loaded.model, loaded.device, tally
        self._pad = loaded.tokenizer.pad_token_id or loaded.tokenizer.eos_token_id or 0
        self._cache = transformers.DynamicCache()
        self._there = torch.zeros(people, 0, dtype=torch.bool)
        self._position = torch.zeros(people, 0, dtype=torch.long)
        self._length = torch.zeros(people, dtype=torch.long)

    def feed(self, runs: list[list[int]]) -> list[Floats]:
        """Scores of all tokens after each person's run; zeros where the run is empty."""
        ids, there = pad_right(runs, self._pad)
        lengths, size = there.sum(dim=1), ids.shape[1]
        steps = torch.arange(size)
        position = torch.where(there, self._length[:, None] + steps, 0)
        own = there[:, None, :] & torch.ones(size, size, dtype=torch.bool).tril()
        own = own | torch.eye(size, dtype=torch.bool)
        before = self._there[:, None, :].expand(-1, size, -1)
        ends = (lengths - 1).clamp(min=0).tolist()
        kept = sorted(set(ends))
        self._position = torch.cat([self._position, position], dim=1)
        seen = torch.cat([before, own], dim=2)[:, None]
        places = (seen, position, self._position)
        out = self._model(
            input_ids=ids.to(self._device),
            position_ids=position.to(self._device),
            attention_mask=masks(self._model, *(some.to(self._device) for some in places)),
            use_cache=True,
            logits_to_keep=torch.tensor(kept, device=self._device),
            **{past_name(): self._cache},
        )
        self._there = torch.cat([self._there, there], dim=1)
        self._length += lengths
        self._tally.prefilled += int(lengths.sum())
        scores = out.logits.float().log_softmax(-1).cpu().numpy().astype(np.float64)
        return [scores[row, kept.index(end)] for row, end in enumerate(ends)]
