"""A batch of spans: rows of parts of users, padded to one length."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True)
class Spans:
    """A batch of spans.

    Attributes:
        place: x and y in cells from the grid's corner, (B, S, 2).
        slot: half-hour slot, (B, S).
        dow: day of the week, 0 for Sunday, (B, S).
        mask: true for rows that are there, (B, S).
        city: number of the city, 0 where it is not said, (B,).
        counted: the counted part of the vectors, (B, A + C); (0, 0) to count these rows.
    """

    place: Tensor
    slot: Tensor
    dow: Tensor
    mask: Tensor
    city: Tensor
    counted: Tensor = field(default_factory=lambda: torch.empty(0, 0))

    def to(self, device: torch.device) -> Spans:
        """A copy on a device."""
        return Spans(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))
