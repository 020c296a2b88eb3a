"""Copy heads: attention of future rows over past rows, whose cells they copy.

Shapes:  B windows, L past rows, P future rows, S = L + P, C heads, G gap codes.

A head's score of a past row for a future row is a product of what the encoder and the embeddings
make of the two, plus tables of how the times of two rows go together: their slots, days of the
week, day types and gaps, and how old the past row is. The tables begin as logarithms of kernels
like those of the history baseline, a different one for each head, so that an untrained head copies
as that model does; training changes them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

_WIDTH = 32
_FAR = 24
"""Slots; longer gaps are alike at the start."""


@dataclass(frozen=True)
class CopyKernel:
    """How a head weighs a past row at the start.

    weight = (exp(-slots / narrow) + share * exp(-slots / 6) + 1e-6) * exp(-age / recency)
    * factors for another day of the week or type of day * gap ratios ** -gap

    Attributes:
        narrow: decay over the slots between the two rows, round the clock.
        share: weight of the wide kernel beside the narrow one.
        recency: decay over the age of the past row, in days.
        other_weekday, other_type: factors for another day of the week, another type of day.
        gap: strength of the match of the gaps before and after.
    """

    narrow: float
    share: float
    recency: float
    other_weekday: float
    other_type: float
    gap: float


KERNELS = (
    CopyKernel(0.7, 0.1, 60.0, 0.7, 0.5, 0.9),
    CopyKernel(2.5, 0.3, 30.0, 1.0, 0.2, 0.5),
    CopyKernel(1.5, 0.1, 1000.0, 0.1, 0.5, 0.9),
    CopyKernel(6.0, 1.0, 15.0, 1.0, 0.5, 1.5),
)
"""The first is the history baseline's; further heads begin again with it."""


class TimeTables(nn.Module):
    """Scores of pairs of rows by their times alone."""

    def __init__(self, heads: int, gaps: int) -> None:
        super().__init__()
        kernels = [KERNELS[i % len(KERNELS)] for i in range(heads)]
        made = [_tables(kernel, gaps) for kernel in kernels]
        parts = (torch.stack(part) for part in zip(*made, strict=True))
        self.time, self.dow, self.weekday, self.gap_before, self.gap_after = map(
            nn.Parameter, parts
        )
        self.recency = nn.Parameter(torch.tensor([1 / kernel.recency for kernel in kernels]))

    def forward(self, rows: dict[str, Tensor], past: int) -> Tensor:
        """Scores (B, C, P, L) of future rows and past rows with features (B, S)."""
        ahead, before = [], []
        for name in ("time", "dow", "weekday", "gap_before", "gap_after"):
            table = getattr(self, name)
            ahead.append(table[:, rows[name][:, past:]])
            before.append(functional.one_hot(rows[name][:, :past], table.shape[1]))
        pairs = torch.cat(before, dim=-1).to(self.time.dtype).transpose(1, 2)
        score = torch.cat(ahead, dim=-1).transpose(0, 1) @ pairs.unsqueeze(1)
        age = rows["day"][:, None, None, :past].to(score.dtype)
        return score + self.recency[None, :, None, None] * age


def _tables(kernel: CopyKernel, gaps: int) -> list[Tensor]:
    """Log-weights of pairs of slots, days of the week, day types, and gap codes (before, after)."""
    slot = torch.arange(48.0)
    apart = (slot[:, None] - slot).abs()
    apart = torch.minimum(apart, 48 - apart)
    near = torch.exp(-apart / kernel.narrow) + kernel.share * torch.exp(-apart / 6.0)
    length = torch.arange(float(gaps)).clamp(1, _FAR).log()
    gap = -kernel.gap * (length[:, None] - length).abs()
    return [
        (near + 1e-6).log(),
        _other(7, kernel.other_weekday),
        _other(2, kernel.other_type),
        gap,
        gap.clone(),
    ]


def _other(size: int, factor: float) -> Tensor:
    """0 for a pair of equals, the log of the factor for others, shape (size, size)."""
    return torch.log(torch.tensor(factor)) * (1 - torch.eye(size))


class CopyHeads(nn.Module):
    """Attention over past rows, and a gate between the heads and the generator."""

    def __init__(self, size: int, hidden: int, heads: int, gaps: int) -> None:
        """Make C heads.

        Args:
            size: width of the encoded and embedded features side by side.
            hidden: width of the encoder.
            heads: number of heads.
            gaps: number of gap codes, G.
        """
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(size, heads * _WIDTH)
        self.key = nn.Linear(size, heads * _WIDTH)
        self.tables = TimeTables(heads, gaps)
        self.gate = nn.Linear(hidden, heads + 1)

    def forward(
        self, side_by_side: Tensor, rows: dict[str, Tensor], past: int, seen: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Mass on each past row (B, P, L), and mass left for the generator (B, P).

        Args:
            side_by_side: encoded rows, then their embedded features, shape (B, S, size).
            rows: features by name, each (B, S).
            past: number of past rows, L.
            seen: true for past rows that are there, shape (B, L); None where all are.
        """
        query = self._by_head(self.query(side_by_side[:, past:]))
        key = self._by_head(self.key(side_by_side[:, :past]))
        score = (query @ key.transpose(2, 3)).float() * _WIDTH**-0.5
        # Small weights differ in digits that bf16 does not hold.
        with torch.autocast(score.device.type, enabled=False):
            score = score + self.tables(rows, past)
        gate = self.gate(side_by_side[:, past:, : self.gate.in_features]).float()
        if seen is not None:
            score = score.masked_fill(~seen[:, None, None, :], torch.finfo(score.dtype).min)
            nothing = ~seen.any(dim=1)[:, None, None]
            closed = torch.finfo(gate.dtype).min
            gate = torch.cat([gate[..., :1], gate[..., 1:].masked_fill(nothing, closed)], dim=-1)
        share = gate.softmax(dim=-1)
        copied = (score.softmax(dim=-1) * share[..., 1:].permute(0, 2, 1).unsqueeze(-1)).sum(dim=1)
        return copied, share[..., 0]

    def _by_head(self, rows: Tensor) -> Tensor:
        return rows.view(*rows.shape[:2], self.heads, _WIDTH).transpose(1, 2)
