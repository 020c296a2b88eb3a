"""What the pictures show: files that the commands write into build/pictures/."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.harness import DATA, ROOT

__all__ = ["DATA", "ROOT", "WORK", "command", "made"]

WORK = ROOT / "build" / "pictures"


def command(line: str, *more: str | Path) -> None:
    """Run a line of humobctl in ``WORK``."""
    words = [*line.split(), *map(str, more)]
    subprocess.run([sys.executable, "-m", "humobctl", "--quiet", *words], cwd=WORK, check=True)


def made(name: str, line: str, *more: str | Path) -> Path:
    """A file or folder in ``WORK``, made by a line of humobctl that ends in ``--output name``."""
    path = WORK / name
    if not path.exists():
        command(line, *more, "--output", name)
    return path


def synthetic(users: int, seed: int) -> dict[str, Path]:
    """Trajectories, places and profiles of a synthetic city."""
    stem = f"city{users}_{seed}"
    names = {kind: f"{stem}_{kind}.parquet" for kind in ("places", "profiles")}
    options = [word for kind, name in names.items() for word in (f"--{kind}", name)]
    line = f"data synth --users {users} --seed {seed}"
    city = made(f"{stem}.parquet", line, *options)
    return {"city": city, **{kind: WORK / name for kind, name in names.items()}}
