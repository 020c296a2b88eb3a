"""Attention of the encoder in prediction on a CPU, by a kernel of our own.

Names:  a span is the rows of one window, which lie one after the other; N rows, H heads, D numbers
        a head.

torch's attention (``scaled_dot_product_attention``) is slow on a CPU where heads are as narrow as
the published 16 numbers, and wants windows of one length; kernels/attention.c takes a third of its
time there. Both take the same sums in float32; in bf16, the kernel rounds weights as torch does.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from humobctl import native
from humobctl.native import Int64s

WIDTHS = (16, 32)
"""Numbers a head that the kernel is compiled for; not for Windows, where it has no AVX."""
TYPES = (torch.bfloat16, torch.float32)
_LEAST = 8
"""Heads that are worth a thread."""


def attend(query: Tensor, key: Tensor, value: Tensor, spans: Int64s, heads: int) -> Tensor:
    """Softmax(query key^T / sqrt(D)) value in each span, without dropout and gradients.

    Args:
        query: shape (N, H * D) on a CPU, heads side by side; rows may be parts of longer ones.
        key: shape (M, H * D).
        value: shape (M, H * D).
        spans: first row and number of the queries, first row and number of the keys they look at,
            shape (B, 4). Without keys, a span finds zeros.
        heads: H.

    Returns:
        Shape (N, H * D), contiguous; rows in no span are zeros.
    """
    width = query.shape[1] // heads
    found = torch.zeros(query.shape, dtype=query.dtype)
    if sys.platform == "win32" or width not in WIDTHS or query.dtype not in TYPES:
        _by_torch(query, key, value, spans, heads, found)
        return found
    spans = np.ascontiguousarray(spans, np.int64)
    assert query.stride(1) == key.stride(1) == value.stride(1) == 1
    assert key.stride(0) == value.stride(0)
    sizes = (
        native.processor(),
        heads,
        width,
        int(query.dtype == torch.bfloat16),
        query.stride(0),
        key.stride(0),
    )
    arrays = [part.data_ptr() for part in (query, key, value)]
    kernel = _kernel()

    def work(first: int, last: int) -> None:
        if kernel(first, last, *sizes, *arrays, spans, found.data_ptr()):
            raise MemoryError

    native.share_out(len(spans) * heads, work, least=_LEAST)
    return found


def _by_torch(
    query: Tensor, key: Tensor, value: Tensor, spans: Int64s, heads: int, found: Tensor
) -> None:
    """The same for any width."""
    for first, count, begin, seen in spans.tolist():
        if not count or not seen:
            continue
        queries, keys, values = (
            part.view(1, len(part), heads, -1).transpose(1, 2)
            for part in (query[first:][:count], key[begin:][:seen], value[begin:][:seen])
        )
        mixed = functional.scaled_dot_product_attention(queries, keys, values)
        found[first : first + count] = mixed[0].transpose(0, 1).reshape(count, -1)


@functools.cache
def _kernel() -> Any:
    kernel = native.library().humob_attend
    long, short = ctypes.c_int64, ctypes.c_int32
    kernel.restype = ctypes.c_int
    arrays = [*[ctypes.c_void_p] * 3, native.pointer(np.int64), ctypes.c_void_p]
    kernel.argtypes = [long, long, *[short] * 4, long, long, *arrays]
    return kernel
