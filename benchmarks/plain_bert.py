"""ST-MoE-BERT written plainly, as published: the yardstick of the speed of bert-moe.

Slow on purpose: eager attention with attention dropout, feed-forward layers of BertConfig's 3072, a
loop over experts, a softmax over all 40,000 cells, windows cut by iterating over rows, one user at
a time in prediction, the windows of a user one after the other. Sizes as in arXiv 2410.14099 and
its authors' code; two faults are put right, so that the same things are computed: slots are 48
values, and the day table has room for the days to predict.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

CELLS, SIDE = 40_000, 200
DAYS, SLOTS = 90, 48
FEATURES = ("d", "t", "dow", "weekend", "gap")


class Expert(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.layer = nn.Linear(size, size)

    def forward(self, rows: Tensor) -> Tensor:
        return nn.functional.gelu(self.layer(rows))


class PlainSelfAttention(nn.Module):
    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v = nn.Linear(size, size), nn.Linear(size, size), nn.Linear(size, size)
        self.out, self.norm = nn.Linear(size, size), nn.LayerNorm(size)

    def forward(self, rows: Tensor) -> Tensor:
        batch, length, size = rows.shape
        q, k, v = (
            part(rows).view(batch, length, self.heads, -1).permute(0, 2, 1, 3)
            for part in (self.q, self.k, self.v)
        )
        weight = (q @ k.transpose(-1, -2) / (size // self.heads) ** 0.5).softmax(-1)
        seen = (weight @ v).permute(0, 2, 1, 3).reshape(batch, length, size)
        return self.norm(self.out(seen) + rows)


class PlainBert(nn.Module):
    """The published network: features (B, S, 5), past cells (B, L) to logits (B, P, 40,000)."""

    def __init__(self, hidden: int, layers: int, heads: int, feed_forward: int = 3072) -> None:
        super().__init__()
        self.day, self.time = nn.Embedding(DAYS, 64), nn.Embedding(SLOTS, 64)
        self.dow, self.weekend = nn.Embedding(7, 64), nn.Embedding(2, 32)
        self.location = nn.Embedding(CELLS, 256)
        size = 64 + 64 + 64 + 32 + 1 + 256
        self.norm, self.dropout = nn.LayerNorm(size), nn.Dropout(0.2)
        self.project, self.residual = nn.Linear(size, hidden), nn.Linear(size, hidden)
        self.attention = PlainSelfAttention(hidden, heads)
        config = BertConfig(
            vocab_size=1,
            hidden_size=hidden,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            intermediate_size=feed_forward,
            max_position_embeddings=3648,
        )
        config._attn_implementation = "eager"
        self.bert = BertModel(config)
        self.experts = nn.ModuleList(Expert(hidden) for _ in range(8))
        self.gate, self.head = nn.Linear(hidden, 8), nn.Linear(hidden, CELLS)

    def forward(self, features: Tensor, cells: Tensor) -> Tensor:
        past = cells.shape[1]
        where = self.location(cells)
        ahead = where.new_zeros(len(where), features.shape[1] - past, where.shape[2])
        parts = [
            self.day(features[..., 0]),
            self.time(features[..., 1]),
            self.dow(features[..., 2]),
            self.weekend(features[..., 3]),
            features[..., 4:].float(),
            torch.cat([where, ahead], dim=1),
        ]
        rows = self.norm(torch.cat(parts, dim=-1))
        rows = self.dropout(self.project(rows) + self.residual(rows))
        states = self.bert(inputs_embeds=self.attention(rows)).last_hidden_state[:, past:]
        flat = states.reshape(-1, states.shape[-1])
        outputs = torch.stack([expert(flat) for expert in self.experts], dim=1)
        mixed = (self.gate(flat).softmax(-1).unsqueeze(-1) * outputs).sum(dim=1)
        return self.head(mixed).view(*states.shape[:2], CELLS)


def train_step(
    net: PlainBert, optimiser: torch.optim.Optimizer, batch: tuple[Tensor, ...]
) -> float:
    """One step on features, past cells and labels (B, P); the loss."""
    features, cells, labels = batch
    net.train()
    optimiser.zero_grad()
    logits = net(features, cells)
    loss = nn.functional.cross_entropy(logits.view(-1, CELLS), labels.view(-1))
    loss.backward()
    optimiser.step()
    return loss.item()


def sequences(rows: Iterable[Any]) -> tuple[list[list[int]], list[int]]:
    """Features and cells of a user's rows, row by row."""
    features, cells = [], []
    d0 = t0 = None
    for row in rows:
        d, t = row["d"], row["t"]
        if d0 is None:
            d0, t0 = d, t
        weekend = 1 if d % 7 in (0, 6) else 0
        features.append([d, t, d % 7, weekend, (d - d0) * SLOTS + t - t0])
        cells.append(SIDE * (row["x"] - 1) + row["y"] - 1)
        d0, t0 = d, t
    return features, cells


def windows(table: pd.DataFrame, past: int, ahead: int, stride: int) -> tuple[Tensor, ...]:
    """All training windows, copied out: features (w, S, 5), past cells (w, L), labels (w, P)."""
    features, cells, labels = [], [], []
    for _, user in table.groupby("uid"):
        rows, own = sequences(row for _, row in user.iterrows())
        for begin in range(0, len(rows) - past - ahead + 1, stride):
            features.append(rows[begin : begin + past + ahead])
            cells.append(own[begin : begin + past])
            labels.append(own[begin + past : begin + past + ahead])
    return tuple(torch.tensor(part) for part in (features, cells, labels))


@torch.no_grad()
def predict_user(
    net: PlainBert, known: pl.DataFrame, asked: pl.DataFrame, past: int, ahead: int
) -> list[int]:
    """The likeliest cells of a user's rows, window after window."""
    net.eval()
    features, cells = sequences(known.iter_rows(named=True))
    later, _ = sequences(asked.iter_rows(named=True))
    features, cells, answers = features[-past:], cells[-past:], []
    for begin in range(0, len(later), ahead):
        part = later[begin : begin + ahead]
        logits = net(torch.tensor([features + part]), torch.tensor([cells]))
        found = logits.argmax(-1)[0].tolist()
        answers += found
        features, cells = (features + part)[-past:], (cells + found)[-past:]
    return answers
