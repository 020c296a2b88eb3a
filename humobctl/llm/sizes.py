"""Models no larger than their files: a config that asks for more is stopped while it is built."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch.nn.modules import module

from humobctl.errors import HumobError
from humobctl.llm.model_files import ModelFiles, read_bounded, walk_keys, weight_files
from humobctl.training.model_dir import CONFIG

MOST_LAYERS = 10_000
"""Most layers of a config, before it is looked at any further: lists are made of so many."""
_COUNTS = re.compile(r"layer|expert|head|depth|block")
_TIMES, _FREE_ARRAYS, _FREE_NUMBERS = 8, 2_000, 8_000_000
"""Arrays and numbers that are made for one in a file (packed weights hold several), and besides."""


def check_counts(files: ModelFiles) -> None:
    """Refuse a config with more layers, heads or experts than any model has.

    Raises:
        HumobError: it has.
    """
    if files.gguf is not None:
        return
    for key, value in walk_keys(read_bounded(files.folder / CONFIG)):
        counted = isinstance(value, int | float) and _COUNTS.search(key) and "size" not in key
        if counted and abs(value) > MOST_LAYERS and not key.endswith(("_id", "_ids", "theta")):
            raise HumobError(
                f"{files.name}: {CONFIG}: found {key} {value}, expected at most {MOST_LAYERS:,}"
            )


@contextmanager
def no_larger_than(files: ModelFiles) -> Iterator[None]:
    """Within it, a network is built from a config; it ends where the files hold far less.

    Raises:
        HumobError: the config asks for more arrays or numbers.
    """
    arrays, numbers = _count_held(files)
    made = [0, 0]

    def count(_parent: Any, _name: str, value: Any) -> None:
        made[0] += 1
        made[1] += value.numel() if hasattr(value, "numel") else 0
        for number, held, free, what in (
            (made[0], arrays, _FREE_ARRAYS, "arrays"),
            (made[1], numbers, _FREE_NUMBERS, "numbers"),
        ):
            if number > _TIMES * held + free:
                raise HumobError(
                    f"{files.name}: found a config of far more {what} than the {held:,} in its "
                    "files, expected one that fits them"
                )

    with ExitStack() as stack:
        for register in (
            module.register_module_parameter_registration_hook,
            module.register_module_buffer_registration_hook,
            module.register_module_module_registration_hook,
        ):
            stack.callback(register(count).remove)
        yield


def _count_held(files: ModelFiles) -> tuple[int, int]:
    """Arrays and numbers that a model's files hold; of GGUF, the most that they can."""
    from safetensors import safe_open  # noqa: PLC0415 - only models need it

    if files.gguf is not None:
        path = files.folder / files.gguf
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(16)
        count = struct.unpack("<8xQ", head)[0] if len(head) == 16 else 0
        return min(count, size // 32), size
    shapes: list[list[int]] = []
    for part in weight_files(files.name, files.folder):
        with safe_open(part, "np") as arrays:
            shapes += [arrays.get_slice(name).get_shape() for name in arrays.keys()]  # noqa: SIM118
    return len(shapes), sum(map(math.prod, shapes))
