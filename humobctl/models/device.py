"""Devices, threads and seeds of the models that run on torch."""

from __future__ import annotations

import torch

from humobctl.errors import UsageError
from humobctl.native import threads


def torch_device(name: str) -> torch.device:
    """The device of a name; ``auto`` is CUDA where there is one.

    Raises:
        UsageError: there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as exc:
        raise UsageError(f"--device: found {name!r}, expected auto, cpu or cuda") from exc
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device: found cuda, but torch finds no GPU here; expected cpu or auto")
    return device


def set_up(seed: int, *, processes: int = 1) -> None:
    """Seed everything, share the threads among processes, and silence transformers.

    Args:
        seed: of Python's, numpy's and torch's generators.
        processes: that share this machine's cores.
    """
    import transformers  # noqa: PLC0415 - two seconds to import

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(max(1, threads() // processes))
    transformers.set_seed(seed)
