"""Build hook: compiles ``humobctl/kernels/*.c`` into one shared library.

The library is loaded with ctypes, so neither Python's headers nor its ABI are needed: one wheel
per platform serves every Python version. Where the machine has no C compiler, the one that comes
in the ``ziglang`` package is fetched as a build requirement.
"""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("humobctl/kernels")
SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
# No fused multiply-add and no fast-math: scores must be reproducible to the last bit.
FLAGS = ["-O3", "-std=c11", "-shared", "-fPIC", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror"]


def compiler() -> list[str]:
    """The C compiler to call: ``$CC``, then cc, gcc or clang, then the one of ziglang."""
    if os.environ.get("CC"):
        return os.environ["CC"].split()
    for name in ("cc", "gcc", "clang"):
        if shutil.which(name):
            return [name]
    return [sys.executable, "-m", "ziglang", "cc"]


class KernelBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Compiles the kernels next to their sources, for wheels and editable installs alike."""

    def dependencies(self) -> list[str]:
        """Ziglang, where no compiler is at hand."""
        return ["ziglang>=0.13"] if "ziglang" in compiler() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and mark the wheel as one for this platform."""
        if self.target_name != "wheel":
            return
        folder = Path(self.root) / FOLDER
        target = folder / f"kernels{SUFFIX}"
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        sources = sorted(folder.glob("*.c"))
        hashed = runpy.run_path(str(folder / "__init__.py"))["hash_sources"](folder)
        carried = f'-DHUMOBCTL_SOURCES="{hashed}"'
        subprocess.run([*compiler(), *FLAGS, carried, "-o", partial, *sources, "-lm"], check=True)
        partial.replace(target)
        build_data["artifacts"].append(str(target.relative_to(self.root)))
        build_data["pure_python"] = False
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"
