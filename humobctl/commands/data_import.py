"""``humobctl data_import``."""

from __future__ import annotations


def import_() -> None:
    """To be written."""
