"""Devices, threads and seeds of the models that run on torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from humobctl import ranks
from humobctl.console import report
from humobctl.errors import UsageError
from humobctl.native import keep_memory, threads

_T = TypeVar("_T")


def torch_device(name: str) -> torch.device:
    """The device of a name; ``auto`` is CUDA where there is one.

    Of several processes on a machine, each has the GPU of its number there.

    Raises:
        UsageError: there is no such device, or fewer GPUs than processes.
    """
    if name == "auto":
        return _own(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    try:
        device = torch.device(name)
    except RuntimeError as exc:
        raise UsageError(f"--device: found {name!r}, expected auto, cpu or cuda") from exc
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device: found cuda, but torch finds no GPU here; expected cpu or auto")
    return _own(device)


def _own(device: torch.device) -> torch.device:
    """The GPU of this process, where several processes train."""
    if device.type != "cuda" or ranks.world_size() == 1:
        return device
    if str(device) != "cuda":
        raise UsageError(
            f"--device: found {device}, expected cuda or auto: each of several processes uses a GPU"
        )
    number, count = ranks.local_rank(), torch.cuda.device_count()
    if number >= count:
        raise UsageError(
            f"--device: found {count} GPUs for {ranks.local_size()} processes on this machine, "
            "expected one each; start fewer (--nproc-per-node), or take --device cpu"
        )
    torch.cuda.set_device(number)
    return torch.device("cuda", number)


def has_bf16(device: torch.device) -> bool:
    """Whether matrix products in bf16 are faster there than in fp32, as far as torch knows.

    A CPU without AVX-512 BF16, AMX or ARM's BF16 takes several times as long.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    known = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    names = ("avx512_bf16", "amx_bf16", "bf16", "arm_bf16")
    return not known or any(known.get(name, False) for name in names)


def choose_precision(asked: str, device: torch.device) -> str:
    """The precision to compute in; auto is bf16 where the processor has it, otherwise fp32.

    Warns where bf16 is asked of a device that only emulates it.
    """
    if asked == "auto":
        return "bf16" if has_bf16(device) else "fp32"
    if asked == "bf16" and not has_bf16(device):
        report.warn("--precision bf16: this processor has no bf16 instructions; fp32 is faster")
    return asked


MOST_BESIDE = 8
"""Batches at a time, each of which takes memory."""


def side_by_side(work: Callable[[_T], object], items: Sequence[_T], device: torch.device) -> None:
    """Call ``work`` for each item, on a CPU several at a time, each on its share of the cores.

    Small products of matrices gain little from being shared among cores, and nothing where other
    processes have some of these; whole batches do. ``work`` runs in other threads, so that it needs
    its own ``inference_mode`` and ``autocast``.
    """
    cores = torch.get_num_threads() if device.type == "cpu" else 1
    beside = min(cores, len(items), MOST_BESIDE)
    if beside < 2:
        for item in items:
            work(item)
        return
    share = cores // beside

    def begin() -> None:
        # OpenMP's number of threads belongs to the thread that sets it.
        torch.set_num_threads(share)

    try:
        with ThreadPoolExecutor(beside, initializer=begin) as pool:
            list(pool.map(work, items))
    finally:
        torch.set_num_threads(cores)


def set_up_torch(seed: int) -> None:
    """Seed torch and give it the threads, for models that do without transformers."""
    keep_memory()
    torch.set_num_threads(max(1, threads() // ranks.local_size()))
    torch.manual_seed(seed)


def set_up(seed: int) -> None:
    """Seed everything, share the threads among processes, and silence transformers.

    Args:
        seed: of Python's, numpy's and torch's generators.
    """
    import transformers  # noqa: PLC0415 - two seconds to import

    if ranks.world_size() == 1:
        # Alone in the environment it makes transformers' Trainer look for other processes.
        os.environ.pop("LOCAL_RANK", None)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    keep_memory()
    torch.set_num_threads(max(1, threads() // ranks.local_size()))
    transformers.set_seed(seed)
