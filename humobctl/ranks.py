"""Which of several processes this is, as ``torchrun`` and ``accelerate launch`` say it.

They start one command line in several processes and tell each its number: RANK of WORLD_SIZE in
all, LOCAL_RANK of LOCAL_WORLD_SIZE on its machine. Process 0 is the main one: it alone writes and
speaks. Nothing heavy is imported here.
"""

from __future__ import annotations

import os
import time

from humobctl.errors import UsageError

_GIVE_WAY_SECONDS = 3.0
_joined = False


def world_size() -> int:
    """Processes that train together."""
    return max(1, _number("WORLD_SIZE", 1))


def rank() -> int:
    """The number of this one."""
    return _number("RANK", 0) if world_size() > 1 else 0


def local_rank() -> int:
    """Its number on this machine; 0 where each machine has one process and no variable says so."""
    return _number("LOCAL_RANK", 0) if world_size() > 1 else 0


def local_size() -> int:
    """Processes that share this machine's cores."""
    if world_size() == 1:
        return 1
    return max(1, _number("LOCAL_WORLD_SIZE", world_size() if "LOCAL_RANK" in os.environ else 1))


def is_main() -> bool:
    """Whether this process is the one that speaks and writes."""
    return rank() == 0


def mark_joined() -> None:
    """From here on the processes tell each other of their errors; see ``training.distributed``."""
    global _joined  # noqa: PLW0603 - a process joins once
    _joined = True


def give_way() -> None:
    """Let the main process speak first of an error that is most likely its own, too.

    Where it ends with that error, its launcher ends this process meanwhile.
    """
    if not is_main() and not _joined:
        time.sleep(_GIVE_WAY_SECONDS)


def _number(name: str, default: int) -> int:
    text = os.environ.get(name, "") or str(default)
    if not text.isdecimal():
        raise UsageError(f"{name}: found {text!r}, expected a number, as torchrun sets it")
    return int(text)
