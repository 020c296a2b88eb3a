"""Fuzzing of everything that reads what others wrote.

`targets` has a function a parser, `seeds` what they begin with, `crashes/` inputs that once broke
one. The tests run each target for a moment (tests/test_fuzz.py); `python -m fuzz` runs it under
atheris, guided by coverage, for minutes.
"""
