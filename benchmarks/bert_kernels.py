"""The kernels of bert-moe's prediction beside torch's way to the same, on one core."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.harness import interleaved, markdown
from humobctl import native
from humobctl.native import at_most, keep_memory
from humobctl.predict.bert_moe.cpu_attention import attend
from humobctl.predict.bert_moe.cpu_encoder import _kernels

WINDOWS, LENGTH, HEADS, ROWS = 8, 420, 16, 512
Works = tuple[str, int, Callable[[], object], Callable[[], object]]


def speed() -> str:
    """Nanoseconds of each step, in the types that it comes in."""
    keep_memory()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    table = []
    with at_most(1), torch.inference_mode():
        for kind in (torch.float32, torch.bfloat16):
            steps = [*_attention(16, kind), *_attention(32, kind), *_norm(kind), *_gelu(kind)]
            for name, count, torchs, ours in steps:
                slow, fast = (1e9 * part / count for part in interleaved(torchs, ours, runs=25))
                step = f"{name}, {str(kind).removeprefix('torch.')}"
                table.append([step, f"{slow:.2f}", f"{fast:.2f}", f"{slow / fast:.2f}"])
    torch.set_num_threads(threads)
    version = f"kernel ns (version {native.processor()})"
    return markdown(["step", "torch ns", version, "times as fast"], table)


def _attention(width: int, kind: torch.dtype) -> Iterator[Works]:
    parts = torch.randn(WINDOWS * LENGTH, 3 * HEADS * width).to(kind).chunk(3, dim=1)
    first = np.arange(WINDOWS) * LENGTH
    spans = np.stack([first, np.full(WINDOWS, LENGTH)] * 2, axis=1).astype(np.int64)

    def heads(part: Tensor) -> Tensor:
        return part.view(WINDOWS, LENGTH, HEADS, width).transpose(1, 2).contiguous()

    apart = [heads(part) for part in parts]
    yield (
        f"attention, 16 scores, heads of {width}",
        WINDOWS * HEADS * LENGTH * LENGTH // 16,
        lambda: functional.scaled_dot_product_attention(*apart),
        lambda: attend(*parts, spans, HEADS),
    )


def _norm(kind: torch.dtype, width: int = 256) -> Iterator[Works]:
    norm, shift = nn.LayerNorm(width), torch.randn(width)
    added, rows = torch.randn(ROWS, width).to(kind), torch.randn(ROWS, width)
    cast = rows.to(kind)

    def torchs() -> Tensor:
        both = rows + (added + shift)
        return functional.layer_norm(both, (width,), norm.weight, norm.bias, norm.eps).to(kind)

    def ours() -> None:
        half = cast.data_ptr() if kind == torch.bfloat16 else None
        pointers = (part.data_ptr() for part in (added, shift, norm.weight, norm.bias))
        sizes = ROWS, width, native.processor()
        _kernels()[0](*sizes, *pointers, norm.eps, rows.data_ptr(), half)

    yield f"bias, residual and layer norm, a row of {width}", ROWS, torchs, ours


def _gelu(kind: torch.dtype, width: int = 1024) -> Iterator[Works]:
    numbers, bias = torch.randn(ROWS, width).to(kind), torch.randn(width)
    short = bias.to(kind)
    sizes = ROWS, width, native.processor(), int(kind == torch.bfloat16)
    yield (
        "bias and GELU, a number",
        ROWS * width,
        lambda: functional.gelu(numbers + short),
        lambda: _kernels()[1](*sizes, bias.data_ptr(), numbers.data_ptr()),
    )
