"""The twelve intents, and what is known of each: where it takes place, and other spellings."""

from __future__ import annotations

import re

from humobctl.tables.schemas import INTENTS

WORK, HOME, SLEEP = "go to work", "go home", "go to sleep"
AT_HOME = frozenset({HOME, SLEEP})
"""Intents that take place at home; all others are out of home."""
CODES = {intent: code for code, intent in enumerate(INTENTS)}
"""Number of each intent, in the order of ``INTENTS``."""
HOME_CODES = tuple(CODES[intent] for intent in AT_HOME)
"""Codes of the intents that take place at home."""
ANCHORED = frozenset(CODES[intent] for intent in (*AT_HOME, WORK))
"""Codes of the intents that take place at home or at work."""

_NOISE = re.compile(r"[^a-z ]+")
_SPELLINGS = {_NOISE.sub(" ", name): name for name in INTENTS}


def intent_of(text: str) -> str | None:
    """The intent that a text names, whatever its case, quotes and spaces; None for no intent."""
    plain = " ".join(_NOISE.sub(" ", text.casefold()).split())
    return _SPELLINGS.get(plain)
