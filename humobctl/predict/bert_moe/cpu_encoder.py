"""The encoder in prediction on a CPU: rows of windows one after the other, without padding.

Shapes:  B windows, S rows of the longest, N rows that are there, H hidden size.

The same as ``BertMoe`` makes of windows side by side, and to rounding the same numbers. Padding is
left out; what is done row by row is done for a few hundred rows at a time, which stay in the
cache; and in bf16 the rows that go from layer to layer are kept in float32 beside it, as autocast
does, but cast once.

The rows' number is rounded up, for matrix products compute the last few rows another way: so what
comes of a window is the same bits whatever windows are beside it.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from humobctl import native
from humobctl.native import Int64s
from humobctl.predict.bert_moe.cpu_attention import attend

_ROUND = 64
_CHUNK = 512
"""Rows at a time; a multiple of ``_ROUND``."""
_LANES = 16
"""Widths are multiples of it in kernels/norm.c and gelu.c."""


@dataclass(frozen=True)
class Packing:
    """Which rows of windows side by side are there, and where they are without the others.

    Attributes:
        there: true for rows that are there, shape (B, S).
        spans: first row and number of each window's rows, twice, shape (B, 4): all look at all.
        length: number of rows, rounded up.
    """

    there: Tensor
    spans: Int64s
    length: int

    @staticmethod
    def of(there: Tensor) -> Packing:
        """The packing of rows that are there, shape (B, S)."""
        counts = there.sum(dim=1).numpy()
        first = np.cumsum(counts) - counts
        spans = np.stack([first, counts] * 2, axis=1).astype(np.int64)
        return Packing(there, spans, -(-int(counts.sum()) // _ROUND) * _ROUND)

    def pack(self, values: Tensor) -> Tensor:
        """Values (B, S, ...) as rows (N, ...), with zeros behind the last."""
        rows = values.new_zeros(self.length, *values.shape[2:])
        some = values[self.there]
        rows[: len(some)] = some
        return rows

    def unpack(self, rows: Tensor) -> Tensor:
        """Rows (N, ...) as values (B, S, ...), zeros where none is."""
        values = rows.new_zeros(*self.there.shape, *rows.shape[1:])
        values[self.there] = rows[: int(self.there.sum())]
        return values


class Stream:
    """Rows on their way through layers.

    Attributes:
        rows: in float32, shape (N, H).
        cast: the same in the type of the matrix products; of float32, the same tensor.
    """

    def __init__(self, rows: Tensor, kind: torch.dtype) -> None:
        self.rows = rows.float().contiguous()
        self.cast = self.rows.to(kind)

    def chunks(self) -> Iterator[slice]:
        """The rows, some at a time."""
        return (slice(first, first + _CHUNK) for first in range(0, len(self.rows), _CHUNK))

    def project(self, *layers: nn.Linear) -> Tensor:
        """What linear layers make of the rows, side by side, shape (N, sum of their outputs)."""
        parts = zip(*(_cast(layer, self.cast.dtype) for layer in layers), strict=True)
        weight, bias = (torch.cat(part) for part in parts)
        made = self.cast.new_empty(len(self.cast), len(bias))
        for some in self.chunks():
            torch.addmm(bias, self.cast[some], weight.t(), out=made[some])
        return made

    def add_norm(self, some: slice, seen: Tensor, layer: nn.Linear, norm: nn.LayerNorm) -> None:
        """Some rows become ``norm(rows + layer(seen))``."""
        rows, cast = self.rows[some], self.cast[some]
        if rows.shape[1] % _LANES:
            added = functional.linear(seen, *_cast(layer, seen.dtype))
            shape, weight, bias = norm.normalized_shape, norm.weight, norm.bias
            rows.copy_(functional.layer_norm(rows + added, shape, weight, bias, norm.eps))
            cast.copy_(rows)
            return
        added = seen @ layer.weight.to(seen.dtype).t()
        half = cast.data_ptr() if cast.dtype == torch.bfloat16 else None
        pointers = (part.data_ptr() for part in (added, layer.bias, norm.weight, norm.bias))
        sizes = *rows.shape, native.processor()
        _kernels()[0](*sizes, *pointers, norm.eps, rows.data_ptr(), half)


def suits(network: Any, states: Tensor) -> bool:
    """Whether rows can be encoded here: on a CPU, without gradients, with weights in float32."""
    return (
        not torch.is_grad_enabled()
        and states.device.type == "cpu"
        and states.dtype in (torch.float32, torch.bfloat16)
        and network.entry.norm.weight.dtype == torch.float32
    )


def encode(network: Any, states: Tensor, there: Tensor, past: int) -> Tensor:
    """What the encoder of a ``BertMoe`` makes of embedded rows, zeros where none is.

    Args:
        network: the network; dropout is left out.
        states: embedded rows, shape (B, S, H).
        there: true for rows that are there, shape (B, S).
        past: past rows, L; of the last layer only the others are made where no copy heads look.

    Returns:
        Rows (B, S, H), or (B, S - L, H) without copy heads.
    """
    bf16 = torch.is_autocast_enabled("cpu")
    kind = torch.bfloat16 if bf16 else torch.float32
    packing = Packing.of(there)
    with torch.autocast("cpu", enabled=False):
        stream = Stream(packing.pack(states), kind)
        entry, bert = network.entry, network.bert
        seen = _attend(stream.project(entry.qkv), packing.spans, entry.heads)
        for some in stream.chunks():
            stream.add_norm(some, seen[some], entry.dense, entry.norm)
        stream = Stream(_placed(network, stream.rows, packing, past), kind)
        *layers, last = bert.encoder.layer
        for layer in layers:
            _layer(layer, stream, packing.spans)
        if network.copy is None:
            return _last(last, stream, packing, past)
        _layer(last, stream, packing.spans)
        return packing.unpack(stream.cast)


def _placed(network: Any, rows: Tensor, packing: Packing, past: int) -> Tensor:
    """Rows (N, H) with the embeddings of their positions."""
    position, future = network.positions(past, packing.there.shape[1])
    at, kind = (
        packing.pack(part.expand(packing.there.shape))[None] for part in (position, future.long())
    )
    placed: Tensor = network.bert.embeddings(
        inputs_embeds=rows[None], token_type_ids=kind, position_ids=at
    )
    return placed[0]


def _layer(layer: Any, stream: Stream, spans: Int64s) -> None:
    """Take rows through a layer of BERT."""
    own = layer.attention.self
    projected = stream.project(own.query, own.key, own.value)
    _feed_forward(layer, stream, _attend(projected, spans, own.num_attention_heads))


def _last(layer: Any, stream: Stream, packing: Packing, past: int) -> Tensor:
    """What a layer of BERT makes of the rows after ``past``, shape (B, P, H)."""
    ahead = Packing.of(packing.there[:, past:])
    own = layer.attention.self
    key, value = stream.project(own.key, own.value).chunk(2, dim=1)
    wanted = Stream(ahead.pack(packing.unpack(stream.rows)[:, past:]), stream.cast.dtype)
    spans = np.concatenate([ahead.spans[:, :2], packing.spans[:, 2:]], axis=1)
    query = wanted.project(own.query)
    _feed_forward(layer, wanted, attend(query, key, value, spans, own.num_attention_heads))
    return ahead.unpack(wanted.cast)


def _attend(projected: Tensor, spans: Int64s, heads: int) -> Tensor:
    query, key, value = projected.chunk(3, dim=1)
    return attend(query, key, value, spans, heads)


def _feed_forward(layer: Any, stream: Stream, seen: Tensor) -> None:
    """What follows attention in a layer of BERT, from what it found, shape (N, H)."""
    first, inner, second = layer.attention.output, layer.intermediate, layer.output
    for some in stream.chunks():
        stream.add_norm(some, seen[some], first.dense, first.LayerNorm)
        wide = _activated(stream.cast[some], inner.dense)
        stream.add_norm(some, wide, second.dense, second.LayerNorm)


def _activated(rows: Tensor, layer: nn.Linear) -> Tensor:
    """GELU of what a layer makes of rows."""
    if layer.out_features % _LANES:
        return functional.gelu(functional.linear(rows, *_cast(layer, rows.dtype)))
    wide = rows @ layer.weight.to(rows.dtype).t()
    sizes = *wide.shape, native.processor(), int(rows.dtype == torch.bfloat16)
    _kernels()[1](*sizes, layer.bias.data_ptr(), wide.data_ptr())
    return wide


def _cast(layer: nn.Linear, kind: torch.dtype) -> tuple[Tensor, Tensor]:
    return layer.weight.to(kind), layer.bias.to(kind)


@functools.cache
def _kernels() -> tuple[Any, Any]:
    library = native.library()
    add_norm, add_gelu = library.humob_add_norm, library.humob_add_gelu
    add_norm.restype = add_gelu.restype = None
    array, short = ctypes.c_void_p, ctypes.c_int32
    arrays = [array] * 4, [array] * 2
    add_norm.argtypes = [ctypes.c_int64, short, short, *arrays[0], ctypes.c_float, *arrays[1]]
    add_gelu.argtypes = [ctypes.c_int64, short, short, short, *arrays[1]]
    return add_norm, add_gelu
