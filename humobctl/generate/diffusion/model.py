"""Denoisers: what a noisy day was before the noise.

Shapes: B days, C channels, T = 144 steps, P = T / patch tokens, W = width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from humobctl.generate.diffusion.config import STEPS, UNCONDITIONED, DiffusionSettings

_KERNEL_GROUPS = 8
"""diffusers' residual blocks normalise channels in groups of 8."""


@dataclass(frozen=True)
class Conditioning:
    """The condition of days.

    Attributes:
        token: class of each step, int64, (B, T); the last one stands for nothing known.
        event: number of each step's event in its day, int64, (B, T).
    """

    token: Tensor
    event: Tensor

    def __getitem__(self, which: slice | Tensor) -> Conditioning:
        """The condition of some of the days."""
        return Conditioning(self.token[which], self.event[which])

    @property
    def odd(self) -> Tensor:
        """Whether the step's event is the day's second, fourth, ..., float, (B, T, 1)."""
        return (self.event % 2).float()[..., None]

    def nothing(self, null: int, which: Tensor | None = None) -> Conditioning:
        """The condition taken away, from all days or from some of them, (B,)."""
        if which is None:
            return Conditioning(torch.full_like(self.token, null), torch.zeros_like(self.event))
        some = which[:, None]
        return Conditioning(self.token.masked_fill(some, null), self.event.masked_fill(some, 0))


def pool(x: Tensor, told: Conditioning | None) -> Tensor:
    """Means of a noisy day over each event, or over the day where events are not known, (B, C, T).

    A day is constant over an event, so that its mean says all that noisy steps say of it.
    """
    if told is None:
        return x.mean(dim=2, keepdim=True).expand_as(x)
    event = told.event[:, None].expand_as(x)
    zeros = torch.zeros_like(x)
    means = zeros.scatter_reduce(2, event, x, "mean", include_self=False)
    return means.gather(2, event)


class Denoiser(nn.Module):
    """A network from a noisy day, the noise level and the condition to a day.

    ``forward(x, level, told)``: x (B, C, T); level (B,), 0 for no noise to 1000; told None where
    the model has no condition. Returns (B, C, T).
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.channels = channels
        self.classes = classes


class Transformer(Denoiser):
    """The transformer encoders of CoPB, which take in the condition in three ways.

    - ``add``: the embedding of each step's class is added before every layer.
    - ``queryonce``: steps query the embeddings, ``softmax(tanh(W x) E^T) E``, and the answer is
      added before the first layer.
    - ``querymulti``: the same answer is added before every layer.

    Different from CoPB: embeddings carry their position, without which a query cannot tell a class
    in the morning from the same in the evening; ``patch`` steps are one token (Peebles and Xie,
    2023); and noisy steps come with their mean over the event.
    """

    def __init__(self, settings: DiffusionSettings, channels: int, classes: int) -> None:
        super().__init__(channels, classes)
        width, self.patch = settings.width, settings.patch
        self.mode = settings.denoiser
        tokens = STEPS // self.patch
        self.enter = nn.Linear(2 * channels * self.patch, width)
        self.position = nn.Parameter(sinusoid(torch.arange(tokens).float(), width))
        self.level = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        if classes:
            self.embed = nn.Embedding(classes + 1, width // self.patch)
            self.odd = nn.Parameter(torch.randn(width // self.patch))
            self.mix = nn.Linear(width, width)
        if classes and self.mode != "add":
            self.query = nn.Sequential(nn.Linear(width, width), nn.Tanh())
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                d_model=width,
                nhead=settings.heads,
                dim_feedforward=4 * width,
                dropout=0.0,
                activation="gelu",
                batch_first=True,
                norm_first=True,
            )
            for _ in range(settings.layers)
        )
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, channels * self.patch)
        self.gate = nn.Linear(width, 2 * channels)
        nn.init.zeros_(self.gate.weight)
        nn.init.zeros_(self.gate.bias)

    def forward(self, x: Tensor, level: Tensor, told: Conditioning | None) -> Tensor:
        """See Denoiser."""
        batch, channels, _ = x.shape
        both = torch.cat([x, pool(x, told)], dim=1)
        folded = both.reshape(batch, 2 * channels, -1, self.patch).permute(0, 2, 1, 3)
        entered = self.enter(folded.flatten(2))  # (B, P, W)
        noise = self.level(sinusoid(level, self.position.shape[1]))  # (B, W)
        hidden = entered + self.position + noise[:, None]
        condition = None if told is None else self._condition(entered, told)
        for number, layer in enumerate(self.layers):
            if condition is not None and (number == 0 or self.mode != "queryonce"):
                hidden = hidden + condition
            hidden = layer(hidden)
        out = self.leave(self.norm(hidden)).reshape(batch, -1, channels, self.patch)
        # Noise passes by the layers, which would have to learn to keep it for pred_v and flow.
        passed = (both * self.gate(noise)[..., None]).reshape(batch, 2, channels, -1).sum(dim=1)
        return cast(Tensor, out.permute(0, 2, 1, 3).reshape(x.shape) + passed)

    def _condition(self, entered: Tensor, told: Conditioning) -> Tensor:
        """What is added to tokens, (B, P, W)."""
        steps = self.embed(told.token) + told.odd * self.odd  # (B, T, W / patch)
        embedded = self.mix(steps.reshape(entered.shape))
        if self.mode == "add":
            return cast(Tensor, embedded)
        keys = embedded + self.position
        query = self.query(entered + self.position)
        return scaled_dot_product_attention(query, keys, keys)


class UNet(Denoiser):
    """The 1-D U-Net of diffusers (Janner et al., 2022), with the condition as more channels."""

    def __init__(self, settings: DiffusionSettings, channels: int, classes: int) -> None:
        from diffusers.models.unets.unet_1d import UNet1DModel  # noqa: PLC0415 - slow to import

        super().__init__(channels, classes)
        width = settings.width
        told = width // 4 if classes else 0
        if classes:
            self.embed = nn.Embedding(classes + 1, told)
            self.odd = nn.Parameter(torch.randn(told))
        levels = settings.layers
        widths = tuple(max(width << level, _KERNEL_GROUPS) for level in range(levels))
        self.net = UNet1DModel(
            sample_size=STEPS,
            in_channels=2 * channels + told,
            out_channels=channels,
            layers_per_block=1,
            block_out_channels=widths,
            down_block_types=("DownResnetBlock1D",) * levels,
            up_block_types=("UpResnetBlock1D",) * (levels - 1),
            mid_block_type="MidResTemporalBlock1D",
            out_block_type="OutConv1DBlock",
            time_embedding_type="positional",
            use_timestep_embedding=True,
            act_fn="mish",
            freq_shift=1,
        )

    def forward(self, x: Tensor, level: Tensor, told: Conditioning | None) -> Tensor:
        """See Denoiser."""
        parts = [x, pool(x, told)]
        if told is not None:
            steps = self.embed(told.token) + told.odd * self.odd
            parts.append(steps.transpose(1, 2))
        return cast(Tensor, self.net(torch.cat(parts, dim=1), level).sample)


def sinusoid(values: Tensor, width: int) -> Tensor:
    """Sines and cosines of numbers at falling frequencies (Vaswani et al., 2017), (..., width)."""
    half = width // 2
    rates = torch.exp(
        torch.arange(half, device=values.device) * (-math.log(10_000) / max(half - 1, 1))
    )
    angles = values[..., None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def build(settings: DiffusionSettings, channels: int, classes: int) -> Denoiser:
    """The denoiser of settings.

    Args:
        settings: what to build.
        channels: of a day.
        classes: of the condition; 0 without one.
    """
    if settings.denoiser in (UNCONDITIONED, "unet-condition"):
        return UNet(settings, channels, classes)
    return Transformer(settings, channels, classes)
