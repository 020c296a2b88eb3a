"""``python -m benchmarks [name ...]``: print tables as Markdown; all but the large ones by default.

python -m benchmarks                      # minutes
python -m benchmarks import-20m city-100k # large files in bench-data/, a quarter of an hour
"""

from __future__ import annotations

import sys

from benchmarks import large, planning, prediction, scoring
from benchmarks.harness import DATA

NEEDS_DATA = ("kernels", "eval", "predict", "ranker", "against", "intend", "intend-scores")
TABLES = {
    "startup": ("Start-up", scoring.startup),
    "kernels": ("Scoring kernels, 100 users a city", scoring.kernels),
    "eval": ("The whole eval command, 3,000 users", scoring.command),
    "predict": ("Predictors, days 60-74, 100 users a city", prediction.table),
    "ranker": ("The ranker, days 60-74, 100 users a city", prediction.ranker),
    "against": ("The ranker against published models", prediction.against_published),
    "intend": ("Day plans, speed", planning.speed),
    "intend-scores": ("Day plans, JSD in nats, 100,000 people", planning.scores),
    "import-20m": ("Import of 20 million CSV rows", large.import_rows),
    "city-100k": ("A city of 100,000 users", large.city),
}
LARGE = ("import-20m", "city-100k")


def main(names: list[str]) -> None:
    for name in names or [name for name in TABLES if name not in LARGE]:
        if name not in TABLES:
            sys.exit(f"benchmarks: found {name!r}, expected one of {', '.join(TABLES)}")
        if name in NEEDS_DATA and not DATA.is_dir():
            print(f"{name}: skipped, it needs the research data in {DATA}", file=sys.stderr)
            continue
        title, table = TABLES[name]
        print(f"## {title}\n\n`python -m benchmarks {name}` on {scoring.machine()}\n")
        print(table(), flush=True)
        print()


main(sys.argv[1:])
