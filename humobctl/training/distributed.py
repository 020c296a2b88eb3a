"""Several processes that train one model, as ``torchrun`` starts them.

Each takes its share of every step's batch; gradients are added up by torch's
DistributedDataParallel, through NCCL where the training runs on CUDA and through gloo elsewhere.
What the main process finds out alone (data, validation scores) and who failed goes through the
store of the rendezvous, so that no process waits for what never comes.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from humobctl import ranks
from humobctl.console import report
from humobctl.errors import HumobError, UsageError

if TYPE_CHECKING:  # a training without torch is a group of one
    import torch
    from torch import Tensor, nn

_MEETING = timedelta(minutes=10)
_STEP = timedelta(hours=1)
"""How long a process waits for the others: at the start, and in a step."""
_GOODBYE_SECONDS = 3.0
_POLL_SECONDS = 0.02
_FAILED, _HEARD, _END = "failed", "heard", "end"


@dataclass(frozen=True)
class Share:
    """A process's part of a batch.

    Attributes:
        rank: of the process.
        size: processes.
    """

    rank: int = 0
    size: int = 1

    def of(self, count: int) -> slice:
        """Its part of so many things; parts differ by one at most."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def counts(self, count: int) -> list[int]:
        """How many of so many things each process takes."""
        cut = [count * number // self.size for number in range(self.size + 1)]
        return [high - low for low, high in pairwise(cut)]


class Group:
    """The processes that train together; a process alone is a group of one.

    Attributes:
        share: of this process in every batch.
    """

    def __init__(
        self, share: Share | None = None, store: Any = None, *, on_gpus: bool = False
    ) -> None:
        self.share, self._store, self._on_gpus = share or Share(), store, on_gpus
        self._turn = 0

    @property
    def size(self) -> int:
        """How many processes."""
        return self.share.size

    @property
    def main(self) -> bool:
        """Whether this is the process that speaks and writes."""
        return self.share.rank == 0

    def broadcast(self, value: Any) -> Any:
        """What the main process sends to all others, as JSON can hold it.

        Returns:
            ``value`` in the main process.
        """
        self._turn += 1
        if self._store is not None:
            self._store.set(f"sent{self._turn}", json.dumps(value))
        return value

    def receive(self) -> Any:
        """What the main process sends with ``broadcast``, as soon as it does."""
        self._turn += 1
        return json.loads(self._wait(f"sent{self._turn}"))

    def _wait(self, key: str) -> bytes:
        while not self._store.check([key]):
            if self._store.check([_FAILED]):
                raise _ElsewhereError
            time.sleep(_POLL_SECONDS)
        found: bytes = self._store.get(key)
        return found

    def wrap(self, module: nn.Module, *, some_unused: bool = False) -> nn.Module:
        """The module, which adds up its gradients over the processes: their mean.

        Args:
            module: whose ``forward`` is all that is to be trained, on its device.
            some_unused: whether a part of it may take no part in a step.
        """
        if self.size == 1:
            return module
        from torch.nn.parallel import DistributedDataParallel  # noqa: PLC0415

        return DistributedDataParallel(
            module, find_unused_parameters=some_unused, gradient_as_bucket_view=True
        )

    def sums(self, values: Tensor) -> Tensor:
        """Sums over the processes of numbers without gradient."""
        if self.size > 1:
            from torch import distributed  # noqa: PLC0415

            values = values.clone()
            distributed.all_reduce(values)
        return values

    def agree(self, decided: bool) -> bool:
        """What the main process decides, in all processes."""
        if self.size == 1:
            return decided
        import torch  # noqa: PLC0415

        return bool(self.sums(torch.tensor(float(decided and self.main))))

    def stack(self, values: Tensor) -> Tensor:
        """The tensors of all processes, which have one shape, one after another: (size, ...)."""
        if self.size == 1:
            return values[None]
        import torch  # noqa: PLC0415

        found = [torch.empty_like(values) for _ in range(self.size)]
        torch.distributed.all_gather(found, values)
        return torch.stack(found)

    def all_rows(self, rows: Tensor, count: int) -> Tensor:
        """The rows of all processes, of which this one's keep their gradient.

        A loss of all rows has the right gradient in each process's own rows; so the sum over the
        processes is the whole.

        Args:
            rows: of this process, (its share of ``count``, ...).
            count: rows in all.
        """
        if self.size == 1:
            return rows
        import torch  # noqa: PLC0415

        counts = self.share.counts(count)
        padded = rows.new_zeros((max(counts), *rows.shape[1:]))
        padded[: len(rows)] = rows.detach()
        parts = [part[:length] for part, length in zip(self.stack(padded), counts, strict=True)]
        parts[self.share.rank] = rows
        return torch.cat(parts)

    def require_path(self, folder: Path) -> None:
        """Look for what the main process wrote.

        Raises:
            HumobError: it is not there for this process.
        """
        if not folder.exists():
            raise HumobError(
                f"{folder}: not found by process {self.share.rank}, expected --output in a folder "
                "that all machines share"
            )

    def close(self) -> None:
        """Wait for the main process to have written the model."""
        if self._store is None:
            return
        if self.main:
            self._store.set(_END, "1")
            self._wait_for(self.size - 1)
        else:
            self._wait(_END)
            self._store.add(_HEARD, 1)

    def abort(self, exc: BaseException) -> NoReturn:
        """End with an error, which one process alone says: the first that met it.

        Raises:
            SystemExit: another one says it.
            HumobError: another one is gone without a word.
        """
        code = 130 if isinstance(exc, KeyboardInterrupt) else 1
        code = 2 if isinstance(exc, UsageError) else code
        try:
            mine = f"{self.share.rank} {code}"
            first = self._store.compare_set(_FAILED, "", mine).decode()
            speaks = first == mine
        except (RuntimeError, ValueError):  # who held the store is gone
            speaks, first = True, ""
        if not self._on_gpus:  # NCCL might wait for the others; their launcher ends those
            _leave()  # wakes them from a sum that is not to come
        if not speaks:
            with suppress(RuntimeError):
                self._store.add(_HEARD, 1)
            raise SystemExit(int(first.split()[1])) from exc
        if self.main:
            with suppress(RuntimeError):
                self._wait_for(self.size - 1)
        if _is_lost(exc):
            raise HumobError(
                f"training: process {self.share.rank} of {self.size} lost the others: one of them "
                "was killed, or the network failed"
            ) from exc
        raise exc

    def _wait_for(self, others: int) -> None:
        """Keep the store, which the main process may hold, until the others have read it."""
        until = time.monotonic() + _GOODBYE_SECONDS
        while self._store.add(_HEARD, 0) < others and time.monotonic() < until:
            time.sleep(_POLL_SECONDS)


class _ElsewhereError(Exception):
    """Another process failed, and says so."""


def _is_lost(exc: BaseException) -> bool:
    from torch import distributed  # noqa: PLC0415

    network = (distributed.DistError, _ElsewhereError)
    text = str(exc).lower()
    return isinstance(exc, network) or (
        isinstance(exc, RuntimeError) and ("gloo" in text or "nccl" in text)
    )


@contextmanager
def join_processes(device: torch.device) -> Iterator[Group]:
    """All processes of a training, from its beginning to its end.

    Args:
        device: that this process trains on.

    Raises:
        HumobError: the processes do not find each other.
        SystemExit: an error that another process tells of.
    """
    if ranks.world_size() == 1:
        yield Group()
        return
    if not ranks.is_main():
        report.configure(quiet=True, verbose=report.settings.verbose)
    group = _join(device)
    try:
        yield group
        group.close()
    except (Exception, KeyboardInterrupt) as exc:
        group.abort(exc)
    _leave()


def _leave() -> None:
    from torch import distributed  # noqa: PLC0415

    with suppress(RuntimeError, ValueError, AssertionError):
        distributed.destroy_process_group()


def _join(device: torch.device) -> Group:
    from torch import distributed  # noqa: PLC0415
    from torch.distributed import distributed_c10d  # noqa: PLC0415
    from torch.distributed.rendezvous import rendezvous  # noqa: PLC0415

    for name in ("MASTER_ADDR", "MASTER_PORT"):
        if not os.environ.get(name):
            raise UsageError(
                f"{name}: found none beside WORLD_SIZE = {ranks.world_size()}, expected both, "
                "as torchrun sets them"
            )
    where = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
    os.environ.setdefault("LOCAL_RANK", str(ranks.local_rank()))  # accelerate asks for it
    try:
        store, rank, size = next(iter(rendezvous("env://", timeout=_MEETING)))
        distributed.init_process_group(
            choose_backend(device), store=store, rank=rank, world_size=size, timeout=_STEP
        )
    except (RuntimeError, ValueError) as exc:
        raise HumobError(
            f"training: process {ranks.rank()} of {ranks.world_size()} cannot reach the "
            f"others at {where} ({str(exc).splitlines()[0]})"
        ) from exc
    ranks.mark_joined()
    own = distributed_c10d.PrefixStore("humobctl", store)
    return Group(Share(rank, size), own, on_gpus=device.type == "cuda")


def choose_backend(device: torch.device) -> str:
    """What moves tensors between processes: NCCL those on GPUs, gloo the others."""
    return "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
