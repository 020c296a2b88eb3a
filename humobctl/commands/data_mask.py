"""``humobctl data_mask``."""

from __future__ import annotations


def mask() -> None:
    """To be written."""
