"""``humobctl data_describe``."""

from __future__ import annotations


def describe() -> None:
    """To be written."""
