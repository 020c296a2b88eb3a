"""``humobctl eval_command``."""

from __future__ import annotations


def evaluate() -> None:
    """To be written."""
