"""``humobctl predict``."""

from __future__ import annotations


def predict() -> None:
    """To be written."""
