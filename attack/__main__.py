"""Attack humobctl, and write what was seen.

    python -m attack [--inputs 20000] [--kills 20] [--write FILE] [PART...]

The parts are inputs, planted, kills, models, servers and pages; all of them by default, in minutes.
What broke is printed with the number of its attempt, and the exit code is 1; a mutated input that
broke a parser lies in build/attack/, and is tried with the real command.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from attack import inputs, kills, models, pages, servers
from attack.workers import Outcome
from tests.conftest import environment
from tests.warm import WarmStart

PARTS = ("inputs", "planted", "kills", "models", "servers", "pages")
MOST_TOLD = 10
"""Findings of one attack that are printed."""
HEAD = """# What humobctl was attacked with

`make attack` writes this page anew: every number is what that run saw. A finding is a crash, a hang,
an exception that is not a clear line, more than 8 GB of address space, a bad value that was accepted, other
bytes after a kill, code of a model that was run, or an `internal:` line.

| attack | tried | refused in one line | memory, at most | findings |
|---|---:|---:|---:|---:|
"""
NOTES = """
- *Mutated inputs* of each kind go through the parsers of the commands, in processes that are watched
  from outside: one to four changes of bytes to a good file, by a seed, so that each number is the same
  input again.
- *Planted values*: every value that no table can hold (`nan` for a latitude, 1.5 for a slot, an empty id),
  in every column of every table, as CSV, NDJSON and Parquet; an accepted one is a finding.
- *Kills*: SIGKILL at a touch of a file or at any time, five in a row, then the command goes on to its
  end; its bytes must be those of a run that nobody killed, and nothing may be left behind.
- *Models* (tests/llm/hostile.py) go through predict, finetune, merge and intend with somebody at
  standard input who says yes. *Servers* (tests/intend/server_faults.py) behave like that always, and every
  third time.
- *Pages*: foreign names and origins, no token, 450 half-open connections, one user 200,000 times, early
  leavers, 2,000 requests of random bytes.
"""


def run(parts: list[str], count: int, each: int) -> Iterator[tuple[str, Outcome]]:
    """What each attack led to, by name."""
    if "inputs" in parts:
        for label in inputs.FORMATS:
            yield f"mutated inputs: {label}", inputs.mutate(label, count)
    if "planted" in parts:
        yield "planted values", inputs.plant()
    with tempfile.TemporaryDirectory() as place:
        examples = Path(place, "examples")
        if {"kills", "models"} & set(parts):
            examples.mkdir()
            kills.prepare(examples)
        if "kills" in parts:
            yield from _kills(examples, each)
        if "models" in parts:
            yield "hostile models", _warmly(lambda warm: models.attack(examples, warm))
    if "servers" in parts:
        yield "hostile servers", servers.attack()
    if "pages" in parts:
        yield "the page server", pages.attack()


def _kills(examples: Path, each: int) -> Iterator[tuple[str, Outcome]]:
    def kill(name: str) -> Outcome:
        return _warmly(lambda warm: kills.kill(name, examples, warm, each))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(kill, kills.COMMANDS)
        yield from (
            (f"kills: {name}", one) for name, one in zip(kills.COMMANDS, found, strict=True)
        )


def _warmly(attack: Callable[[WarmStart], Outcome]) -> Outcome:
    warm = WarmStart(environment())
    try:
        return attack(warm)
    finally:
        warm.close()


def _row(name: str, found: Outcome) -> str:
    refused = f"{found.refused:,}" if found.refused else "–"
    held = f"{found.most_bytes >> 20:,} MB" if found.most_bytes else "–"
    return f"| {name} | {found.tried:,} | {refused} | {held} | {len(found.findings)} |"


def _tell(name: str, found: Outcome) -> None:
    for number, words in sorted(found.findings.items())[:MOST_TOLD]:
        print(f"    {number}: {words}", flush=True)
        if name.startswith("mutated"):
            path = inputs.keep(name.partition(": ")[2], number)
            command = [sys.executable, "-m", "humobctl", "data", "import", str(path)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            print(f"      {path}: data import ends with {done.returncode}: {done.stderr[-200:]}")


def main() -> int:
    """Run what was asked for; write the table."""
    parser = argparse.ArgumentParser(prog="python -m attack", description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000, help="mutated inputs of each kind")
    parser.add_argument("--kills", type=int, default=20, help="kills of each command")
    parser.add_argument("--write", type=Path, help="file for the table, in Markdown")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    rows, broken, start = [], 0, time.monotonic()
    for name, found in run(asked.parts or list(PARTS), asked.inputs, asked.kills):
        rows.append(_row(name, found))
        print(rows[-1], flush=True)
        _tell(name, found)
        broken += len(found.findings)
    if asked.write:
        minutes = (time.monotonic() - start) / 60
        took = f"\nThe run took {minutes:.0f} minutes on {os.cpu_count()} cores.\n"
        asked.write.write_text(HEAD + "\n".join(rows) + "\n" + took + NOTES, encoding="utf-8")
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
