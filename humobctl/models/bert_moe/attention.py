"""Attention of the encoder: torch's in training, a kernel of our own in prediction on a CPU.

Shapes:  B windows, S queries, T keys, H heads, D numbers a head.

torch's attention (``scaled_dot_product_attention``) is slow on a CPU where heads are as narrow as
the published 16 numbers; kernels/attention.c takes about half its time there. Both take the same
sums in float32, so that they differ by rounding only.
"""

from __future__ import annotations

import ctypes
import functools
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import AttentionInterface

from humobctl import native

NAME = "humobctl-narrow-heads"
"""What transformers knows this attention by."""
WIDTHS = (16, 32)
"""Numbers a head that the kernel is compiled for."""
_LEAST = 8
"""Heads that are worth a thread."""


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """Softmax(query key^T / sqrt(D)) value without dropout.

    Args:
        query: shape (B, H, S, D).
        key: shape (B, H, T, D).
        value: shape (B, H, T, D).
        mask: 0 for a key to look at, -inf for others, shape (B, 1, 1, T); None to look at all.

    Returns:
        Shape (B, S, H, D), contiguous.
    """
    if not _suits(query, key, value):
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return seen.transpose(1, 2).contiguous()
    query, key, value = (part.transpose(1, 2).contiguous() for part in (query, key, value))
    windows, queries, heads, width = query.shape
    keys = key.shape[1]
    shown = torch.ones(windows, keys, dtype=torch.uint8)
    if mask is not None:
        shown = (mask[:, 0, 0] == 0).to(torch.uint8).contiguous()
    found = torch.empty_like(query)
    sizes = (heads, queries, keys, width, int(query.dtype == torch.bfloat16))
    arrays = [part.data_ptr() for part in (query, key, value, shown, found)]
    kernel = _kernel()

    def work(first: int, last: int) -> None:
        if kernel(first, last, *sizes, *arrays):
            raise MemoryError

    native.share_out(windows * heads, work, least=_LEAST)
    return found


def _suits(query: Tensor, key: Tensor, value: Tensor) -> bool:
    """Whether the kernel can do it; it has no backward pass."""
    return (
        not torch.is_grad_enabled()
        and query.device.type == "cpu"
        and query.shape[-1] in WIDTHS
        and query.dtype in (torch.bfloat16, torch.float32)
        and query.dtype == key.dtype == value.dtype
    )


@functools.cache
def _kernel() -> Any:
    kernel = native.library().humob_attention
    long, short = ctypes.c_int64, ctypes.c_int32
    kernel.restype = ctypes.c_int
    kernel.argtypes = [long, long, *[short] * 5, *[ctypes.c_void_p] * 5]
    return kernel


def _for_transformers(
    module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, **_: Any
) -> tuple[Tensor, None]:
    """The same as transformers calls it."""
    return attend(query, key, value, mask), None


AttentionInterface.register(NAME, _for_transformers)
