"""Model dirs: the only place that writes or reads one.

    config.json         the model's type and its settings
    model.safetensors   its arrays (adapter_model.safetensors, where it is an adapter)
    metrics.jsonl       one line a step or epoch of the training
    run.json            version, command, seed, data fingerprint, settings, scores; written last

A dir appears under its name only when it is whole. No pickle is written or read.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.console import signals
from humobctl.errors import HumobError, UsageError
from humobctl.io.json_files import read_json
from humobctl.io.output_lock import note_input, replace_folder, reserve
from humobctl.io.run_record import describe_run
from humobctl.io.streams import clear_os_errors
from humobctl.tables.schemas import GRID

if TYPE_CHECKING:
    from torch import nn

CONFIG, ARRAYS, METRICS, RUN = "config.json", "model.safetensors", "metrics.jsonl", "run.json"
ADAPTER, ADAPTER_CONFIG = "adapter_model.safetensors", "adapter_config.json"
"""In place of ``ARRAYS`` in the dir of an adapter, whose base model is elsewhere; its settings."""

Network = TypeVar("Network", bound="nn.Module")


@dataclass(frozen=True)
class Checkpoint:
    """A trained model, as a folder holds it.

    Attributes:
        type: name of the model in the registry.
        config: its settings, as JSON can hold them.
        arrays: its arrays by name.
        run: how it came to be: seed, data fingerprint, scores and what else matters.
        metrics: one record a step of the training.
    """

    type: str
    config: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    run: dict[str, Any] = field(default_factory=dict)
    metrics: list[dict[str, Any]] = field(default_factory=list)


def check_target(folder: str | Path, *, overwrite: bool) -> None:
    """Refuse, before any training, a folder that cannot be written or would be lost.

    Raises:
        HumobError: it exists and may not be replaced, or its parent is missing.
    """
    path = Path(folder)
    if not path.parent.is_dir():
        raise HumobError(f"{path}: found no folder {path.parent}, expected an existing folder")
    if not path.exists():
        return
    if not (path / RUN).is_file() and (path.is_file() or any(path.iterdir())):
        raise HumobError(f"{path}: found something that is not a model dir, expected a new name")
    if (path / RUN).is_file() and not overwrite:
        raise HumobError(f"{path}: found a model dir, expected a new name or --overwrite")


def save(
    checkpoint: Checkpoint,
    folder: str | Path,
    *,
    overwrite: bool = False,
    write: Callable[[Path], None] | None = None,
) -> None:
    """Write a model dir, whole or not at all.

    Args:
        checkpoint: what to write.
        folder: the dir.
        overwrite: replace a model dir of that name.
        write: writes config and arrays into a folder, in place of those of ``checkpoint``.

    Raises:
        HumobError: see ``check_target``; or another run writes it, no permission, or a full disk.
    """
    from safetensors.numpy import save_file  # noqa: PLC0415 - only models need it

    path = Path(folder)
    check_target(path, overwrite=overwrite)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    with reserve(path), signals.remove_if_ended(partial):
        check_target(folder, overwrite=overwrite)  # nobody else has written it meanwhile
        with clear_os_errors(str(path)):
            partial.mkdir()
            if write is not None:
                write(partial)
            else:
                write_json(partial / CONFIG, {"type": checkpoint.type, **checkpoint.config})
                arrays = {name: np.ascontiguousarray(a) for name, a in checkpoint.arrays.items()}
                save_file(arrays, partial / ARRAYS)
            lines = (json.dumps(record) + "\n" for record in checkpoint.metrics)
            (partial / METRICS).write_text("".join(lines))
            write_json(partial / RUN, {**describe_run(), **checkpoint.run})
            replace_folder(partial, path)


def load(folder: str | Path, *, type: str | None = None, arrays: bool = True) -> Checkpoint:
    """Read a model dir.

    Args:
        folder: the dir.
        type: the type it should have.
        arrays: read the arrays too; a model that torch loads does not need them twice.

    Raises:
        HumobError: it is missing, not whole, damaged, or of another type.
    """
    from safetensors import SafetensorError  # noqa: PLC0415
    from safetensors.numpy import load_file  # noqa: PLC0415

    path = Path(folder)
    file = ADAPTER if (path / ADAPTER).is_file() else ARRAYS
    missing = [name for name in (CONFIG, file, RUN) if not (path / name).is_file()]
    if missing:
        kind = "no such folder" if not path.exists() else f"no {missing[0]}"
        raise HumobError(f"{path}: found {kind}, expected a model dir")
    for name in (CONFIG, file, RUN):
        note_input(path / name, str(path / name))
    config, run = (read_json(path / name) for name in (CONFIG, RUN))
    found = str(config.pop("type", "nothing"))
    if type is not None and found != type:
        raise HumobError(f"{path}: found a model of type {found}, expected {type}")
    if not arrays:
        return Checkpoint(found, config, {}, run)
    try:
        return Checkpoint(found, config, load_file(path / file), run)
    except (SafetensorError, OSError) as exc:
        raise HumobError(f"{path / file}: found damaged arrays ({exc})") from exc


def array_shapes(folder: str | Path) -> dict[str, tuple[int, ...]]:
    """Shapes of a model dir's arrays by name; the arrays themselves are not read.

    Raises:
        HumobError: the file is damaged.
    """
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415

    path = Path(folder)
    path /= ADAPTER if (path / ADAPTER).is_file() else ARRAYS
    try:
        with safe_open(path, "np") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as exc:
        raise HumobError(f"{path}: found damaged arrays ({exc})") from exc


def load_array(folder: str | Path, name: str) -> NDArray[Any] | None:
    """One of a model dir's arrays; None where there is none of that name.

    Raises:
        HumobError: the file is damaged.
    """
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415

    path = Path(folder) / ARRAYS
    try:
        with safe_open(path, "np") as file:
            return file.get_tensor(name) if name in file.keys() else None  # noqa: SIM118
    except (SafetensorError, OSError) as exc:
        raise HumobError(f"{path}: found damaged arrays ({exc})") from exc


def check_layers(folder: str | Path, layers: int) -> dict[str, tuple[int, ...]]:
    """Refuse settings with more layers than there are arrays, which would be built for hours.

    Returns:
        Shapes of the arrays by name.

    Raises:
        HumobError: they have, or the arrays are damaged.
    """
    shapes = array_shapes(folder)
    if layers > len(shapes):
        raise HumobError(
            f"{Path(folder) / CONFIG}: found {layers} layers, but {ARRAYS} holds {len(shapes)} "
            "arrays"
        )
    return shapes


def build_checked(
    folder: str, layers: int, make: Callable[[], Network], prefix: str = ""
) -> Network:
    """The network that settings describe, before its arrays are put in.

    It is made without memory first: settings that were changed by hand or by damage could ask for
    more than a machine has.

    Args:
        folder: the model dir.
        layers: of the settings.
        make: makes the network.
        prefix: of the names of its arrays.

    Raises:
        HumobError: the settings are not those of the arrays.
    """
    import torch  # noqa: PLC0415 - models without a network need none
    from torch.overrides import TorchFunctionMode  # noqa: PLC0415

    class Unfilled(TorchFunctionMode):
        """First values would make torch import its compiler, a second of a core, for nothing."""

        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            kwargs = kwargs or {}
            if getattr(func, "__module__", "") == "torch.nn.init":
                return kwargs["tensor"] if "tensor" in kwargs else args[0]
            return func(*args, **kwargs)

    shapes = check_layers(folder, layers)
    with torch.device("meta"), Unfilled():
        wanted = {f"{prefix}{name}": tuple(a.shape) for name, a in make().state_dict().items()}
    for name, shape in wanted.items():
        if shapes.get(name) != shape:
            raise HumobError(
                f"{folder}: found a damaged model (array {name}: found {shapes.get(name)}, "
                f"expected {shape} by config.json)"
            )
    return make()


@contextmanager
def clear_damage(folder: str | Path) -> Iterator[None]:
    """Turn what a model raises that is made of wrong settings or arrays into one clear line."""
    try:
        yield
    except HumobError as exc:
        if not isinstance(exc, UsageError):
            raise
        raise HumobError(f"{folder}: found a damaged model ({exc})") from exc
    except (MemoryError, *_DAMAGES) as exc:
        said = (str(exc).splitlines() or [""])[0] or type(exc).__name__
        raise HumobError(f"{folder}: found a damaged model ({said})") from exc


_DAMAGES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


def write_json(path: Path, record: dict[str, Any]) -> None:
    """Write an object as indented JSON."""
    path.write_text(json.dumps(record, indent=2) + "\n")


class Fingerprint:
    """A digest of a grid trajectory; the same whatever the batches, not whatever the order."""

    def __init__(self) -> None:
        self._digest = hashlib.blake2b(digest_size=16)
        self.rows = 0

    def watch(self, batches: Iterable[pl.DataFrame]) -> Iterable[pl.DataFrame]:
        """Pass batches through."""
        for batch in batches:
            self.rows += batch.height
            columns = [batch[name].to_numpy().astype("<i8") for name in GRID.columns]
            self._digest.update(np.column_stack(columns).tobytes())
            yield batch

    def text(self) -> str:
        """The digest in hexadecimal, with the number of rows."""
        return f"blake2b:{self._digest.hexdigest()}:{self.rows}"
