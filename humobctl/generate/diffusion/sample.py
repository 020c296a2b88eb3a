"""Days drawn from a trained network, in batches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from humobctl.generate.diffusion.config import STEPS
from humobctl.generate.diffusion.data import Layout, Scale
from humobctl.generate.diffusion.model import Conditioning, Denoiser
from humobctl.generate.diffusion.process import Fixed, Process, Sampling
from humobctl.native import Bools, Float32s, Floats, Int64s
from humobctl.tables.keyed_random import uniforms

_SEED_BITS = 1 << 62


@dataclass(frozen=True)
class Anchors:
    """What is known of people's places; NaN for what is not.

    Attributes:
        home: metres on the plane, by day, (days, 2).
        work: metres from home, by day, (days, 2).
    """

    home: Floats
    work: Floats

    @property
    def has_home(self) -> Bools:
        """Whether the home is known, (days,)."""
        known: Bools = np.isfinite(self.home[:, 0])
        return known

    @property
    def has_work(self) -> Bools:
        """Whether the work is known, (days,)."""
        known: Bools = np.isfinite(self.work[:, 0])
        return known

    def as_channels(
        self, scale: Scale, working: Bools, device: torch.device, channels: int
    ) -> Fixed:
        """The same as channels of days.

        Args:
            scale: of the model.
            working: steps at work, (days, 144).
            device: of the result.
            channels: of a day.
        """
        values = np.zeros((len(self.home), channels, STEPS))
        where = np.zeros(values.shape, bool)
        known = self.has_home
        values[known, 2:4] = scale.homes(self.home[known])[:, :, None]
        where[known, 2:4] = True
        at_work = working & self.has_work[:, None]
        points = np.nan_to_num(scale.points(np.nan_to_num(self.work)))
        for axis in (0, 1):
            values[:, axis] = np.where(at_work, points[:, axis : axis + 1], 0.0)
            where[:, axis] = at_work
        return Fixed(
            torch.from_numpy(where).to(device),
            torch.from_numpy(values.astype(np.float32)).to(device),
        )


def sources_of(seed: int, uid: Int64s, d: Int64s) -> list[torch.Generator]:
    """A source of noise for each day, which depends on the seed, the person and the day alone."""
    seeds = (uniforms(1, seed, uid, d)[:, 0] * _SEED_BITS).astype(np.int64)
    return [torch.Generator().manual_seed(one) for one in seeds.tolist()]


def draw(
    network: Denoiser,
    process: Process,
    sampling: Sampling,
    sources: list[torch.Generator],
    *,
    token: NDArray[np.int8] | None = None,
    layout: Layout | None = None,
    fixed: Fixed | None = None,
    batch_size: int = 256,
) -> Float32s:
    """Days, (days, C, 144).

    Args:
        network: on its device, in evaluation mode.
        process: of the model.
        sampling: how to sample.
        sources: of noise, one a day.
        token: class of each event, where the model has a condition.
        layout: of the events, likewise.
        fixed: what is known of the days.
        batch_size: days at once.
    """
    device = next(network.parameters()).device
    told = None if token is None or layout is None else condition_of(layout, token, device)
    parts = []
    for low in range(0, len(sources), batch_size):
        part = slice(low, low + batch_size)
        drawn = process.sample(
            network,
            sources[part],
            None if told is None else told[part],
            sampling,
            None if fixed is None else Fixed(fixed.where[part], fixed.values[part]),
        )
        parts.append(drawn.float().cpu().numpy())
    return np.concatenate(parts)


def condition_of(layout: Layout, token: NDArray[np.int8], device: torch.device) -> Conditioning:
    """The condition of days, by the classes of their events."""
    event = layout.event_of_step()
    return Conditioning(
        torch.from_numpy(token[event].astype(np.int64)).to(device),
        torch.from_numpy(layout.number()[event]).to(device),
    )
