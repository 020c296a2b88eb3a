"""Fuzz every target, or those that are named, for some time each.

    python -m fuzz --seconds 300 [TARGET...]

The corpus grows in build/fuzz/. An input that breaks a promise lands in fuzz/crashes/TARGET/, where
the tests find it: mend the code, keep the file. The exit code is 1 where there was one.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from fuzz.seeds import seeds
from fuzz.targets import TARGETS

ROOT = Path(__file__).resolve().parent.parent
CRASHES = ROOT / "fuzz" / "crashes"
CORPUS = ROOT / "build" / "fuzz"
SLOWEST_SECONDS = 20
MOST_MEGABYTES = 3_000


def fuzz(name: str, seconds: int) -> bool:
    """Fuzz one target; whether no input broke it."""
    corpus, crashes = CORPUS / name, CRASHES / name
    corpus.mkdir(parents=True, exist_ok=True)
    crashes.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(name)):
        (corpus / f"seed{number:03}").write_bytes(seed)
    command = [sys.executable, "-m", "fuzz.cover", name, str(corpus), f"-max_total_time={seconds}"]
    command += [f"-artifact_prefix={crashes}/", f"-timeout={SLOWEST_SECONDS}", "-max_len=8192"]
    command += [f"-rss_limit_mb={MOST_MEGABYTES}", "-print_final_stats=1", "-verbosity=1"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, errors="replace"
    )
    lines = done.stderr.splitlines()
    runs = next((line.split()[-1] for line in lines if "number_of_executed_units" in line), "?")
    print(
        f"{name}: {'ok' if done.returncode == 0 else 'BROKEN'}, {runs} inputs in {seconds} s",
        flush=True,
    )
    if done.returncode:
        print("\n".join(lines[-40:]), flush=True)
    if not any(crashes.iterdir()):
        crashes.rmdir()
    return done.returncode == 0


def main() -> int:
    """Fuzz what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=300, help="for each target")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    asked = parser.parse_args()
    if unknown := set(asked.targets) - set(TARGETS):
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    return int(False in [fuzz(name, asked.seconds) for name in asked.targets or TARGETS])


if __name__ == "__main__":
    sys.exit(main())
