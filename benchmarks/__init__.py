"""Benchmarks: `python -m benchmarks` prints the tables of BENCHMARKS.md."""
