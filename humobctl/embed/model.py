"""The network: places and times attend to each other, transformer blocks, a BiLSTM, one vector.

Shapes:  B spans, S rows of the longest span, W width, H units of the LSTM each way, E numbers of a
         vector, N rows to decode.
         Rows of a span stand at its beginning; what follows them is padding, which changes nothing.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from humobctl.embed.anchors import LEARNT, TARGETS, count_spans, join
from humobctl.embed.config import EmbedderSettings
from humobctl.embed.spans import Spans
from humobctl.tables.schemas import EMBEDDING_SIZE, GRID_SIDE, SLOTS_PER_DAY

WAVES = 14
"""Wavelengths of the places' features, from 1.5 cells up to 256, each sqrt(2.2) times the last."""
SMOOTH_CELLS = 1.0
"""Standard deviation of the cells that count as the right one, in cells."""


_TOGETHER = 16
"""Matrix products are padded to this many rows, so that each row has the same bits in any batch."""


class PlaceEmbedding(nn.Module):
    """Places as waves over the plane in four directions, then two layers.

    Near places have near embeddings, and a cell without records has one too: a table of cells
    could learn neither from a few hundred users.
    """

    waves: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("waves", _waves(), persistent=False)
        self.mix = nn.Sequential(nn.Linear(8 * WAVES, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, place: Tensor) -> Tensor:
        """Places (..., 2) in cells to (..., W)."""
        phase = place.float() @ self.waves
        mixed: Tensor = self.mix(torch.cat([phase.sin(), phase.cos()], dim=-1))
        return mixed


def _waves() -> Tensor:
    """Wave numbers of all lengths and directions, (2, 4 * WAVES)."""
    # On tensors without memory torch would import its compiler, a second of a core.
    with torch.device("cpu"):
        lengths = 1.5 * (256 / 1.5) ** (torch.arange(WAVES) / (WAVES - 1))
        angles = torch.arange(4) * (math.pi / 4)
        directions = torch.stack([angles.cos(), angles.sin()])  # (2, 4)
        return ((2 * math.pi / lengths)[None, :, None] * directions[:, None, :]).reshape(2, -1)


class TimeEmbedding(nn.Module):
    """Half-hour slot, day of the week and weekend, each a table."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.slot = nn.Embedding(SLOTS_PER_DAY, width)
        self.dow = nn.Embedding(7, width)
        self.weekend = nn.Embedding(2, width)

    def forward(self, slot: Tensor, dow: Tensor) -> Tensor:
        """Slots and days (...) to (..., W)."""
        weekend = ((dow == 0) | (dow == 6)).long()
        found: Tensor = self.slot(slot) + self.dow(dow) + self.weekend(weekend)
        return found


class Attention(nn.Module):
    """Rows of one sequence attend to the rows of another; layer norms come first."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.other_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.pair = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, rows: Tensor, other: Tensor, mask: Tensor) -> Tensor:
        """What (B, S, W) rows find in (B, T, W) others, of which (B, T) are there."""
        shape = (*rows.shape[:2], self.heads, -1)
        query = self.query(self.norm(rows)).view(shape).transpose(1, 2)
        key, value = self.pair(self.other_norm(other)).chunk(2, dim=-1)
        shape = (*other.shape[:2], self.heads, -1)
        found = functional.scaled_dot_product_attention(
            query,
            key.view(shape).transpose(1, 2),
            value.view(shape).transpose(1, 2),
            attn_mask=None if bool(mask.all()) else mask[:, None, None, :],
        )
        attended: Tensor = self.out(found.transpose(1, 2).flatten(2))
        return attended


class TransformerBlock(nn.Module):
    """Self-attention and two layers, each added to what was there."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(width, heads)
        self.forward_layers = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.drop = nn.Dropout(dropout)

    def forward(self, rows: Tensor, mask: Tensor) -> Tensor:
        """Rows (B, S, W), of which (B, S) are there."""
        rows = rows + self.drop(self.attention(rows, rows, mask))
        added: Tensor = rows + self.drop(self.forward_layers(rows))
        return added


class Encoder(nn.Module):
    """Spans to vectors of length 1: counted numbers, and those of the network.

    ``learnt`` is how many those are; models of earlier versions learn all.
    """

    def __init__(self, settings: EmbedderSettings, cities: int, learnt: int = LEARNT) -> None:
        super().__init__()
        width, heads = settings.width, settings.heads
        self.place, self.time = PlaceEmbedding(width), TimeEmbedding(width)
        self.city = nn.Embedding(1 + cities, width)
        self.places_to_times, self.times_to_places = (
            Attention(width, heads),
            Attention(width, heads),
        )
        self.join = nn.Linear(2 * width, width)
        self.blocks = nn.ModuleList(
            TransformerBlock(width, heads, settings.dropout) for _ in range(settings.blocks)
        )
        self.norm = nn.LayerNorm(width)
        self.ahead = nn.LSTM(width, settings.lstm_units, batch_first=True)
        self.back = nn.LSTM(width, settings.lstm_units, batch_first=True)
        self.out = nn.Linear(2 * settings.lstm_units, learnt)

    def forward(self, spans: Spans) -> Tensor:
        """Vectors (B, E)."""
        mask = spans.mask
        places, times = self.place(spans.place), self.time(spans.slot, spans.dow)
        places, times = (
            places + self.places_to_times(places, times, mask),
            times + self.times_to_places(times, places, mask),
        )
        rows = torch.cat(
            [self.city(spans.city)[:, None], self.join(torch.cat([places, times], -1))], 1
        )
        there = functional.pad(mask, (1, 0), value=True)
        for block in self.blocks:
            rows = block(rows, there)
        rows = self._both_ways(self.norm(rows), there)[:, 1:]
        weights = mask.to(rows.dtype)[:, :, None]
        mean = (rows * weights).sum(1) / weights.sum(1).clamp(min=1)
        learnt = functional.normalize(self._vectors(mean).float(), dim=-1)
        if learnt.shape[1] == EMBEDDING_SIZE:
            return learnt
        counted = spans.counted if len(spans.counted) else count_spans(spans)[0]
        return join(counted.to(learnt.device), learnt)

    def _vectors(self, mean: Tensor) -> Tensor:
        """The last layer: (B, 2H) to (B, E)."""
        if self.training:
            found: Tensor = self.out(mean)
            return found
        # The last few rows of a product are computed another way than the others. Filled up, a
        # span gets the same bits in a batch of any size.
        count = len(mean)
        filled: Tensor = self.out(functional.pad(mean, (0, 0, 0, -count % _TOGETHER)))
        return filled[:count]

    def _both_ways(self, rows: Tensor, mask: Tensor) -> Tensor:
        """The BiLSTM's (B, S, 2H).

        The way back runs over each span turned round, so that padding comes last both ways and
        is never read.
        """
        length = mask.sum(1, keepdim=True)
        order = torch.arange(rows.shape[1], device=rows.device)[None]
        turned = torch.where(order < length, length - 1 - order, order)[:, :, None]
        back = self.back(rows.gather(1, turned.expand_as(rows)))[0]
        back = back.gather(1, turned.expand_as(back))
        return torch.cat([self.ahead(rows)[0], back], dim=-1)


class Decoder(nn.Module):
    """Cells of rows, from a vector and the rows' times, and where wanted from the cell before."""

    near: Tensor

    def __init__(self, settings: EmbedderSettings) -> None:
        super().__init__()
        width, units = settings.width, settings.decoder_units
        self.vector = nn.Linear(EMBEDDING_SIZE, width)
        self.place, self.time = PlaceEmbedding(width), TimeEmbedding(width)
        self.lstm = nn.LSTM(width, units, batch_first=True)
        self.out = nn.Linear(units, 2 * GRID_SIDE)
        cells = torch.arange(GRID_SIDE)
        near = -((cells[:, None] - cells) ** 2) / (2 * SMOOTH_CELLS**2)
        self.register_buffer("near", near.softmax(dim=-1), persistent=False)

    def forward(self, vector: Tensor, spans: Spans, before: Tensor | None) -> Tensor:
        """Cross-entropy in nats of each row's x and y, each among 200, summed over the rows.

        Args:
            vector: (B, E).
            spans: rows to decode, (B, N).
            before: places of the rows before them, (B, N, 2); None to do without.
        """
        rows = self.vector(math.sqrt(vector.shape[-1]) * vector)[:, None] + self.time(
            spans.slot, spans.dow
        )
        if before is not None:
            rows = rows + self.place(before)
        logits = self.out(self.lstm(rows)[0]).float().unflatten(-1, (2, GRID_SIDE))
        cell = spans.place.floor().long().clamp(0, GRID_SIDE - 1)
        loss = -(self.near[cell] * logits.log_softmax(dim=-1)).sum(-1).sum(-1)
        total: Tensor = (loss * spans.mask).sum()
        return total


class EmbedderNetwork(nn.Module):
    """The trained modules: the encoder of vectors and the decoder that reads them."""

    def __init__(self, settings: EmbedderSettings, cities: int) -> None:
        super().__init__()
        self.encoder = Encoder(settings, cities)
        self.decoder = Decoder(settings)
        self.asked = nn.Linear(EMBEDDING_SIZE, TARGETS)

    def keep(self, vectors: Tensor, targets: Tensor) -> Tensor:
        """Huber loss of a linear readout of the other spans' anchors, radius and exploration.

        Args:
            vectors: the first spans of all users, then the second, (B, E).
            targets: of the same spans, (B, T).
        """
        others = torch.cat(targets.chunk(2)[::-1])
        told = self.asked(math.sqrt(EMBEDDING_SIZE) * vectors)
        return functional.smooth_l1_loss(told, others, reduction="sum") / TARGETS


def contrast(vectors: Tensor, temperature: float) -> Tensor:
    """Cross-entropy in nats of finding the second span of each user among all, and the first.

    Args:
        vectors: of length 1, (2, U, E): the first and the second spans of U users.
        temperature: that cosines are divided by.
    """
    alike = vectors[0] @ vectors[1].T / temperature
    right = torch.arange(len(alike), device=alike.device)
    there: Tensor = functional.cross_entropy(alike, right)
    back: Tensor = functional.cross_entropy(alike.T, right)
    mean: Tensor = 0.5 * (there + back)
    return mean
