"""`scripts/record.py`: the same commands give the same record, and a difference is told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT, environment


def record(*options: str | Path) -> subprocess.CompletedProcess[str]:
    script = ROOT / "scripts" / "record.py"
    return subprocess.run(
        [sys.executable, str(script), *map(str, options)],
        capture_output=True,
        env=environment(),
        text=True,
        check=False,
    )


def test_a_difference_is_told(tmp_path: Path) -> None:
    first, again = tmp_path / "first.json", tmp_path / "again.json"
    # bad-number needs nothing, import-back the cells that import-grid makes.
    chosen = ("--only", "import-back", "bad-number")
    assert record(first, *chosen).returncode == 0
    entries = json.loads(first.read_text())
    assert list(entries) == ["import-grid", "import-back", "bad-number"]
    assert set(entries["import-grid"]) == {"code", "users.csv", "cells.csv"}
    assert set(entries["import-back"]) == {"code", "stdout"}
    assert entries["bad-number"]["code"] == 1
    assert "bad_number.csv: row 4 (line 5), column t" in entries["bad-number"]["stderr"]
    entries["import-grid"]["cells.csv"] = "0"
    del entries["bad-number"]
    first.write_text(json.dumps(entries))
    done = record(again, *chosen, "--compare", first)
    assert done.returncode == 1
    told = [line.split()[:2] for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert told == [
        ["different", "import-grid"],
        ["equal", "import-back"],
        ["missing", "bad-number"],
    ]
    cells = json.loads(again.read_text())["import-grid"]["cells.csv"]
    assert f"    cells.csv: '0' -> '{cells}'" in done.stdout.splitlines()
