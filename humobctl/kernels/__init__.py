"""C sources of the kernels, and the library that hatch_build.py compiles of them.

``hatch_build.py`` runs this file by its path, where nothing of humobctl is installed yet: it
imports the standard library alone.
"""

from __future__ import annotations

import hashlib
from pathlib import Path


def hash_sources(folder: Path) -> str:
    """A hash of the C sources in a folder, 16 hexadecimal digits; empty where there are none.

    The library carries that of the sources it was compiled of.
    """
    found = hashlib.sha256()
    files = sorted(folder.glob("*.[ch]"))
    for file in files:
        found.update(file.name.encode() + b"\0" + file.read_bytes())
    return found.hexdigest()[:16] if files else ""
