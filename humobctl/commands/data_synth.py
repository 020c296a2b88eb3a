"""``humobctl data_synth``."""

from __future__ import annotations


def synth() -> None:
    """To be written."""
