"""What an attack attempts, in a file that is imported in no time."""

from __future__ import annotations

import os


def attempt(number: int) -> bool:
    """Die of one number, raise for another."""
    if number == 2:
        os.abort()
    if number == 3:
        raise KeyError(number)
    return number > 3
