"""Small changes to good inputs."""

from __future__ import annotations

import random


def mutated(seed: bytes, draw: random.Random) -> bytes:
    """A seed with some bytes changed, cut out, doubled, or put in."""
    data = bytearray(seed)
    odd = (
        b"\0",
        b"\xff",
        b'"',
        b"\n",
        b",",
        b"999999999999999999999",
        b"-1",
        b"nan",
        b"\x1b",
        b"[",
    )
    for _ in range(draw.randint(1, 4)):
        place = draw.randrange(len(data) + 1)
        how = draw.randrange(4)
        if how == 0:
            data[place : place + 1] = bytes([draw.randrange(256)])
        elif how == 1:
            del data[place : place + draw.randint(1, 20)]
        elif how == 2:
            data[place:place] = draw.choice(odd)
        else:
            data[place:place] = data[place : place + draw.randint(1, 40)]
    return bytes(data)
