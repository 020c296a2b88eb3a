"""Writes the completion scripts from the app: ``python scripts/completions.py FOLDER``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SHELLS = ("bash", "zsh", "fish")


def completion(shell: str) -> str:
    """The script that the app prints for ``shell``."""
    environment = {**os.environ, "_HUMOBCTL_COMPLETE": f"source_{shell}"}
    arguments = [sys.executable, "-m", "humobctl"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, env=environment)
    return done.stdout.strip() + "\n"


if __name__ == "__main__":
    for name in SHELLS:
        (Path(sys.argv[1]) / f"humobctl.{name}").write_text(completion(name))
