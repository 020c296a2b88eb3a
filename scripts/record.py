"""Record what must not change: digests of the outputs of humobctl's commands, on fixed seeds.

    python scripts/record.py before.json                        in the checkout as it was
    python scripts/record.py after.json --compare before.json   in the checkout as it is
    python scripts/record.py after.json --only 'predict-*' --compare before.json

For comparing two checkouts on one machine, before and after a refactor that changes no behaviour;
another machine or another version of torch gives other numbers. The commands are those of the
humobctl that this Python imports, each in a process of its own, with one thread. An entry of the
record holds the exit code, a digest of standard output and of each file that was made, the losses
of a model that was trained, and the message of a command that failed. Tables are compared by
their values, models by their tensors and config.json. --keep FOLDER leaves the files there, to see
what is different. With --compare, the exit code is 1 if anything is different or missing.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import importlib.util
import itertools
import json
import os
import re
import shlex
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from record_inputs import make_language_model, write_inputs

BASELINES = ("history", "mode", "slot-mode", "weekday-mode", "markov")
DECODERS = ("day", "argmax", "geobleu", "dtw", "sample --seed 5 --top-p 0.8")
GRAVITY = ("gravity", "power", "exponential", "radiation", "opportunity", "epr", "random")
FLOWS = ("gravity", "radiation", "extended-radiation", "opportunities")
ENVIRONMENT = {
    "HUMOBCTL_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "NO_COLOR": "1",
    "COLUMNS": "100",
}
ROUNDED = ("describe",)
"""Entries whose numbers count to twelve digits: polars adds up groups in any order."""
VOLATILE = ("transformers_version",)


@dataclass(frozen=True)
class Entry:
    """A command to run, with the files that it takes and makes."""

    name: str
    words: tuple[str, ...]
    makes: tuple[str, ...]
    stdin: str | None

    def takes(self, name: str) -> bool:
        """Whether the command names a file that it does not make."""
        return name == self.stdin or (name in self.words and name not in self.makes)


def read_entries() -> list[Entry]:
    """The commands of record.txt, and those that are made of lists."""
    text = re.sub(r"\n +", " ", Path(__file__).with_suffix(".txt").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    for model, decoder in itertools.product(BASELINES, DECODERS):
        name = f"predict-{model}-{decoder.split()[0]}"
        made = " -o >predicted_mode.csv" if name == "predict-mode-day" else ""
        file = "challenge.csv" if made else "few.csv"
        lines.append(f"{name}: predict {file} --model {model} --decode {decoder}{made}")
    for law in GRAVITY:
        places = "--places places.csv"
        lines.append(f"gravity-{law}: generate gravity plans.csv {places} --law {law} --seed 2")
    for law in FLOWS:
        fit = "--fit commuting.csv"
        lines.append(f"flows-{law}: generate flows counties.csv --law {law} {fit}")
    entries = [_entry(line) for line in lines]
    makers = {name: entry for entry in entries for name in entry.makes}
    ordered: dict[str, Entry] = {}
    for entry in entries:
        for needed in (*_needed(entry, makers), entry):
            ordered.setdefault(needed.name, needed)
    return list(ordered.values())


def _entry(line: str) -> Entry:
    name, command = line.split(": ", 1)
    words = shlex.split(command)
    return Entry(
        name=name,
        words=tuple(word.removeprefix(">") for word in words if not word.startswith("<")),
        makes=tuple(word[1:] for word in words if word.startswith(">")),
        stdin=next((word[1:] for word in words if word.startswith("<")), None),
    )


def _needed(entry: Entry, makers: dict[str, Entry]) -> Iterator[Entry]:
    """The entries whose files a command takes, first those that come first."""
    for name, maker in makers.items():
        if entry.takes(name):
            yield from _needed(maker, makers)
            yield maker


def choose_entries(entries: list[Entry], patterns: list[str]) -> list[Entry]:
    """The entries whose names match a pattern, and those that they need."""
    makers = {name: entry for entry in entries for name in entry.makes}
    names = set()
    for entry in entries:
        if _matches(entry.name, patterns):
            names |= {entry.name, *(needed.name for needed in _needed(entry, makers))}
    return [entry for entry in entries if entry.name in names]


def _matches(name: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def record_entry(entry: Entry, folder: Path) -> dict[str, Any]:
    """Run a command: exit code, digests of what it made, losses, what it said if it failed."""
    done = subprocess.run(
        [sys.executable, "-m", "humobctl", *entry.words],
        input=(folder / entry.stdin).read_bytes() if entry.stdin else b"",
        capture_output=True,
        cwd=folder,
        env={**os.environ, **ENVIRONMENT},
        check=False,
    )
    (folder / f"{entry.name}.stdout").write_bytes(done.stdout)
    found: dict[str, Any] = {"code": done.returncode}
    if done.returncode:
        found["stderr"] = _steady(done.stderr, folder).decode(errors="replace")
    if done.stdout:
        exact = entry.name not in ROUNDED
        found["stdout"] = digest_bytes(done.stdout if exact else _round(done.stdout), folder)
    for name in entry.makes:
        path = folder / name
        found[name] = digest_path(path, folder) if path.exists() else None
        if (path / "metrics.jsonl").exists():
            lines = map(json.loads, (path / "metrics.jsonl").read_text().splitlines())
            losses = [round(line["loss"], 6) for line in lines if "loss" in line]
            found[f"{name}: losses"] = losses[:30]
    return found


def digest_path(path: Path, folder: Path) -> str:
    """A digest of a table's values, of a model's tensors and settings, or of other text."""
    if (path / "config.json").exists():
        parts = [digest_path(file, folder) for file in sorted(path.glob("*.safetensors"))]
        config = json.loads((path / "config.json").read_text())
        text = json.dumps({key: config[key] for key in sorted(config) if key not in VOLATILE})
        return digest_bytes("".join([*parts, text]).encode(), folder)
    if path.is_dir():
        files = sorted(path.rglob("*.parquet"))
        parts = [f"{file.relative_to(path)} {digest_path(file, folder)}" for file in files]
        return digest_bytes("".join(parts).encode(), folder)
    if path.suffix == ".parquet":
        frame = pl.read_parquet(path, hive_partitioning=False)
        return digest_bytes(repr((frame.schema, frame.rows())).encode(), folder)
    if path.suffix == ".safetensors":
        data = path.read_bytes()
        (size,) = struct.unpack("<Q", data[:8])
        tensors: dict[str, Any] = json.loads(data[8 : 8 + size])
        tensors.pop("__metadata__", None)
        digest = hashlib.sha256()
        for name, tensor in sorted(tensors.items()):
            start, end = (8 + size + offset for offset in tensor["data_offsets"])
            digest.update(f"{name} {tensor['dtype']} {tensor['shape']}".encode() + data[start:end])
        return digest.hexdigest()
    return digest_bytes(path.read_bytes(), folder)


def digest_bytes(data: bytes, folder: Path) -> str:
    """The SHA-256 of bytes, without the folder's name and the version in signatures."""
    return hashlib.sha256(_steady(data, folder)).hexdigest()


def _steady(data: bytes, folder: Path) -> bytes:
    data = data.replace(str(folder).encode(), b"FOLDER")
    return re.sub(rb"\bv:\d+\.\d+\.\d+", b"v:VERSION", data)


def _round(data: bytes) -> bytes:
    return re.sub(rb"\d+\.\d+", lambda number: b"%.12g" % float(number[0]), data)


def record(entries: list[Entry], folder: Path) -> dict[str, dict[str, Any]]:
    """Run the commands in a folder, one after another."""
    write_inputs(folder)
    if any(entry.takes("tinyllama") for entry in entries):
        make_language_model(folder / "tinyllama")
    found = {}
    for number, entry in enumerate(entries, 1):
        start = time.monotonic()
        found[entry.name] = record_entry(entry, folder)
        seconds = time.monotonic() - start
        print(f"{number}/{len(entries)} {entry.name} {seconds:.1f} s", file=sys.stderr)
        code = found[entry.name]["code"]
        if (code != 0) != entry.name.startswith("bad-"):
            print(f"  exit code {code}: {found[entry.name].get('stderr')}", file=sys.stderr)
    return found


def compare(found: dict[str, Any], old: dict[str, Any]) -> bool:
    """Print for each entry whether it is as before; return whether all are."""
    for name in {**found, **old}:
        if name not in found or name not in old:
            print(f"missing    {name} ({'before' if name in found else 'now'})")
        elif found[name] == old[name]:
            print(f"equal      {name}")
        else:
            print(f"different  {name}")
            for key in {**old[name], **found[name]}:
                before, now = old[name].get(key), found[name].get(key)
                if before != now:
                    print(f"    {key}: {before!r} -> {now!r}")
    return found == old


def main() -> int:
    """Record, write, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, help="JSON file to write")
    parser.add_argument("--only", nargs="+", default=["*"], help="Patterns of names of entries")
    parser.add_argument("--compare", type=Path, help="Record to compare with")
    parser.add_argument("--keep", type=Path, help="Folder to leave all files in")
    options = parser.parse_args()
    entries = choose_entries(read_entries(), options.only)
    program = importlib.util.find_spec("humobctl")
    print(f"{len(entries)} commands of {program and program.origin}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as scratch:
        folder = (options.keep or Path(scratch)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        found = record(entries, folder)
    options.output.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    if options.compare is None:
        return 0
    old = json.loads(options.compare.read_text())
    asked = {name: old[name] for name in old if name in found or _matches(name, options.only)}
    return 0 if compare(found, asked) else 1


if __name__ == "__main__":
    sys.exit(main())
