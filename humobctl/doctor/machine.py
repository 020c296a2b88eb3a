"""The machine: processor, memory, GPUs, and the folders that humobctl writes to."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from humobctl import native
from humobctl.errors import HumobError, reason
from humobctl.extras import has_nvidia_driver, install_command, installed_version

GIB = 1 << 30
LITTLE_ROOM = GIB
"""Free space below this gives a warning: sorting a city of 100,000 users takes 1.2 GB."""
_PROC = Path("/proc")
_VECTORS = (
    *("avx", "avx2", "avx512f", "avx512_bf16", "amx_bf16"),
    *("asimd", "bf16"),  # ARM's names
)
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True)
class Fact:
    """A property of the machine.

    Attributes:
        name: what was looked at.
        found: what stands there.
        state: ``ok``, or what is wrong with it.
        core: whether humobctl cannot do without.
    """

    name: str
    found: str
    state: str = "ok"
    core: bool = False

    @property
    def broken(self) -> bool:
        """Whether humobctl cannot work."""
        return self.core and self.state != "ok"


def facts() -> Iterator[Fact]:
    """Everything about this machine."""
    yield Fact("python", f"{platform.python_version()} {platform.python_implementation()}")
    yield Fact("system", f"{platform.system()} {platform.release()} {platform.machine()}")
    yield Fact("processor", processor())
    yield Fact("vectors", vectors())
    yield Fact("cores", f"{native.threads()} of {os.cpu_count() or 1} used")
    yield Fact("memory", memory())
    yield from gpus()
    yield kernels()
    yield folder("temporary files", temporary(), core=True)
    yield folder("hub cache", hub_cache())
    yield folder("current folder", Path.cwd())


def processor() -> str:
    """The processor's name."""
    return _cpuinfo("model name") or platform.processor() or "unknown"


def vectors() -> str:
    """The vector and bf16 instructions that kernels and torch make use of."""
    has = (_cpuinfo("flags") or _cpuinfo("Features") or "").split()
    return " ".join(name for name in _VECTORS if name in has) or "unknown"


def _cpuinfo(key: str) -> str | None:
    try:
        text = (_PROC / "cpuinfo").read_text()
    except OSError:
        return None
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return None


def memory() -> str:
    """Total and free memory; a container's limit counts as the total."""
    try:
        lines = (_PROC / "meminfo").read_text().splitlines()
        sizes = {line.split(":")[0]: 1024 * int(line.split()[1]) for line in lines}
        total, free = sizes["MemTotal"], sizes["MemAvailable"]
    except (OSError, KeyError, ValueError, IndexError):
        return _memory_elsewhere()
    limit = _limit()
    if limit is not None and limit < total:
        total, free = limit, min(free, limit)
    return f"{free / GIB:.1f} of {total / GIB:.1f} GiB free"


def _memory_elsewhere() -> str:
    try:
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return "unknown"
    return f"{pages / GIB:.1f} GiB"


def _limit() -> int | None:
    for name in _LIMITS:
        try:
            return int(Path(name).read_text())
        except (OSError, ValueError):  # "max" is none
            continue
    return None


def gpus() -> Iterator[Fact]:
    """CUDA devices. torch is imported only where there is a driver: it takes seconds."""
    if not has_nvidia_driver(_PROC):
        yield Fact("GPU", "none")
        return
    version = installed_version("torch")
    if version is None:
        state = f"not used; install torch with: {install_command('torch')}"
        yield Fact("GPU", "an NVIDIA driver", state)
        return
    try:
        cuda: Any = importlib.import_module("torch").cuda
        count = cuda.device_count() if cuda.is_available() else 0
        found = [(cuda.get_device_name(n), *cuda.mem_get_info(n)) for n in range(count)]
    except Exception as exc:  # whatever a driver or a broken package comes up with
        yield Fact("GPU", "an NVIDIA driver", f"torch {version} cannot use it: {exc}")
        return
    if not found:
        yield Fact("GPU", "an NVIDIA driver", f"torch {version} finds no CUDA device")
    for number, (name, free, total) in enumerate(found):
        room = f"{free / GIB:.1f} of {total / GIB:.1f} GiB free"
        yield Fact(f"GPU {number}", f"{name}, {room}")


def kernels() -> Fact:
    """Whether the compiled kernels load."""
    try:
        native.library()
    except HumobError as exc:
        return Fact("compiled kernels", native.LIBRARY.name, str(exc), core=True)
    return Fact("compiled kernels", native.LIBRARY.name, core=True)


def temporary() -> Path | None:
    """The folder for temporary files; None where no folder can be written to."""
    try:
        return Path(tempfile.gettempdir())
    except OSError:
        return None


def hub_cache() -> Path:
    """Where models of a hub are kept, by the rules of huggingface_hub."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("HF_HOME", f"{cache}/huggingface")
    return Path(os.environ.get("HF_HUB_CACHE", f"{home}/hub")).expanduser()


def folder(name: str, path: Path | None, *, core: bool = False) -> Fact:
    """A folder: where it is, how much room it has, and whether it can be written to."""
    if path is None:
        return Fact(name, "none", "no folder can be written to; set TMPDIR", core=core)
    there = path
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        free = shutil.disk_usage(there).free
        with tempfile.TemporaryFile(dir=there, prefix="humobctl-") as probe:
            probe.write(b"humobctl")
            probe.flush()
    except OSError as exc:
        return Fact(name, str(path), f"cannot be written to: {reason(exc)}", core=core)
    room = f"{free / GIB:.1f} GiB free"
    found = f"{path}, {room}"
    # Little room may do for little data, so it breaks nothing.
    if free < LITTLE_ROOM:
        return Fact(name, found, f"little room: {room}")
    return Fact(name, found, core=core)
