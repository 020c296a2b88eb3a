"""One target under atheris, guided by coverage of humobctl's own code; polars is not looked into.

python -m fuzz.cover TARGET CORPUS [-max_total_time=60 and other options of libFuzzer]
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import atheris


def main() -> None:
    """Run until libFuzzer ends; an input that breaks a promise ends it."""
    name, *rest = sys.argv[1:]
    with atheris.instrument_imports(include=["humobctl"]):
        import humobctl.data.importers.run
        import humobctl.data.importers.stays
        import humobctl.intend.answers
        import humobctl.training.settings  # noqa: F401
        from fuzz.targets import TARGETS, check

        target = TARGETS[name]
        # What a target imports itself is instrumented, too.
        with tempfile.TemporaryDirectory() as folder:
            check(target, Path(folder), b"\0")
    shared = Path("/dev/shm")  # noqa: S108 - memory as a folder, where the system has it
    folder = Path(
        tempfile.mkdtemp(prefix="humobctl-fuzz-", dir=shared if shared.is_dir() else None)
    )

    def one(data: bytes) -> None:
        check(target, folder, data)

    try:
        atheris.Setup([sys.argv[0], *rest], one, enable_python_coverage=True)
        atheris.Fuzz()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
