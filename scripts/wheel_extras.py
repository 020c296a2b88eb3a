"""Install a wheel into empty environments, then each extra by the command that `doctor` prints.

    python scripts/wheel_extras.py                  all extras that users install
    python scripts/wheel_extras.py plot torch       these

For each extra an environment of its own: the wheel without extras, `humobctl doctor`, the command
that it prints for the extra, and `humobctl doctor` again, which must miss nothing of it. Takes
minutes and the network; packages have the versions of constraints-cpu.txt.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from humobctl.doctor.packages import HIDDEN
from humobctl.extras import requirements

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Try the extras of the command line; the exit code is 1 where one is not to be had."""
    extras = sys.argv[1:] or sorted(set(requirements()) - {"", *HIDDEN})
    with tempfile.TemporaryDirectory(prefix="humobctl-wheel-") as name:
        folder = Path(name)
        pip = (sys.executable, "-m", "pip", "--quiet")
        _run(*pip, "wheel", "--no-deps", "--wheel-dir", folder, ROOT)
        (wheel,) = folder.glob("*.whl")
        failed = [extra for extra in extras if not _try(extra, wheel, folder / extra)]
    return 1 if failed else 0


def _try(extra: str, wheel: Path, venv: Path) -> bool:
    """Whether the printed command brings all packages of an extra."""
    begun = time.monotonic()
    _run(sys.executable, "-m", "venv", venv)
    _run(venv / "bin" / "python", "-m", "pip", "--quiet", "install", wheel)
    before = _missing(extra, venv)
    if not before:
        print(f"{extra}: nothing was missing, so nothing was tried")
        return False
    command = before[0]["install"]
    done = subprocess.run(["sh", "-c", command], check=False, capture_output=True, text=True)
    left = [package["name"] for package in _missing(extra, venv)]
    state = f"missing {', '.join(left)}" if left or done.returncode else "ok"
    print(f"{extra}: {state}, {time.monotonic() - begun:.0f} s: {command}", flush=True)
    if done.returncode:
        print(done.stderr)
    return state == "ok"


def _missing(extra: str, venv: Path) -> list[dict[str, Any]]:
    told = json.loads(_run(venv / "bin" / "humobctl", "doctor", "--format", "json"))
    return [p for p in told["packages"] if p["extra"] == extra and p["state"] != "ok"]


def _run(*words: str | Path) -> str:
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


if __name__ == "__main__":
    os.environ["PIP_CONSTRAINT"] = str(ROOT / "constraints-cpu.txt")
    sys.exit(main())
