"""Benchmarks: ``python -m benchmarks`` prints the tables of BENCHMARKS.md and docs/notes/."""

import os

# As the command line does, before numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
