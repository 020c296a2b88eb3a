"""The network: a GRU over the last records, and the ranker's features of each candidate.

    score(c) = f(features of c) + q . e(c) + b(c)
    q = linear(GRU over (place, hour of week, time to the newest), user, hour of week)

The features hold what a user's own past says of a place, so the first term copies from the past;
the others add what places and users have in common. Their weights begin at 0.

Shapes: B records, L past records, K candidates, F features, E embedding, H hidden.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from humobctl.predict.next_gru.config import NextGruSettings
from humobctl.predict.next_gru.data import HOURS, NextGruRows

_HOUR = 16
_CLIP = 4.0
_START = 0.1


class NextGruNetwork(nn.Module):
    """Scores of candidates.

    Attributes:
        mean, scale: of the features, shape (F,).
        copying: parameters of the first term, which learn at a rate of their own.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, settings: NextGruSettings, features: int, places: int, users: int) -> None:
        """Make a network.

        Args:
            settings: sizes.
            features: number of features, F.
            places: places of the vocabulary.
            users: users of the vocabulary.
        """
        super().__init__()
        e, h, units = settings.embedding_size, settings.hidden_size, settings.copy_units
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        self.place = nn.Embedding(places + 1, e, padding_idx=0)
        self.user = nn.Embedding(users + 1, e, padding_idx=0)
        self.hour = nn.Embedding(HOURS + 1, _HOUR, padding_idx=0)
        self.bias = nn.Embedding(places + 1, 1, padding_idx=0)
        self.gru = nn.GRU(e + _HOUR + 1, h, batch_first=True)
        self.query = nn.Linear(h + e + _HOUR, e)
        self.dropout = nn.Dropout(settings.dropout)
        self.copying = nn.Sequential(
            nn.Linear(features, units),
            nn.ReLU(),
            nn.Linear(units, units),
            nn.ReLU(),
            nn.Linear(units, 1),
        )
        with torch.no_grad():
            for one in (self.place, self.user):
                one.weight[1:].normal_(0.0, _START)
            self.bias.weight.zero_()

    def forward(self, rows: NextGruRows) -> Tensor:
        """Scores, the lowest where there is no candidate, shape (B, K)."""
        z = ((rows.z - self.mean) / self.scale).clamp(-_CLIP, _CLIP)
        hour = self.hour(rows.hour)
        records = torch.cat(
            [self.dropout(self.place(rows.past)), hour, rows.gap[..., None]], dim=-1
        )
        state = self.gru(records)[0][:, -1]
        asked = torch.cat([state, self.user(rows.user), hour[:, -1]], dim=-1)
        query = self.query(self.dropout(asked))
        known = (self.dropout(self.place(rows.candidate)) * query[:, None]).sum(dim=-1)
        known = known + self.bias(rows.candidate)[..., 0]
        scores = self.copying(z)[..., 0] + known
        masked: Tensor = scores.float().masked_fill(~rows.there, -1e9)
        return masked
