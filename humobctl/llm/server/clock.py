"""The time that a client keeps; tests put their own in its place."""

from __future__ import annotations

import asyncio
import time


def now() -> float:
    """Seconds since 1970."""
    return time.time()


async def pause(seconds: float) -> None:
    """Wait."""
    await asyncio.sleep(seconds)
