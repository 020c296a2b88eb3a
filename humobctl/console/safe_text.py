"""Text that is safe to show: nothing in it acts on a terminal, and it holds no secrets.

Names of files, cities, places and categories, reasons of language models and what servers answer
come from others. Whatever reaches a terminal, a table for people or a picture goes through here:
by `report`, by the errors, and by the writer of tables where standard output is a terminal.
"""

from __future__ import annotations

import os
import re

SECRET_VARIABLES = (
    *("OPENAI_API_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN"),
    "WANDB_API_KEY",
)
SHORTEST_SECRET = 8
"""Characters of a key; what is shorter (``x``, ``none``) only satisfies a server of one's own."""
HIDDEN = "[key]"
LONGEST = 4_000
"""Characters of a message; the middle of a longer one is left out."""
_JOINERS = "\u200c\u200d"
"""They join letters of Persian and Indian scripts, and act on nothing else."""
_PASSWORD = re.compile(r"(?<=://)[^/\s@]+:[^/\s@]*(?=@)")


def printable(text: str, *, lines: bool = False) -> str:
    r"""The text with what is not printable written out: an escape sequence as ``\x1b[31m``.

    Control characters, marks that turn the direction of writing, line separators and what has no
    meaning in Unicode are written as Python writes them. Printable text stays as it is, so calling
    it twice changes nothing.

    Args:
        text: from anywhere.
        lines: keep line ends.
    """
    if text.isprintable():
        return text
    kept = f"{_JOINERS}\n" if lines else _JOINERS
    return "".join(c if c.isprintable() or c in kept else _write_out(c) for c in text)


def _write_out(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def message(text: str) -> str:
    """A message in one printable line of bearable length, without secrets."""
    text = printable(hide_secrets(text))
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"


def strip_quotes(key: str) -> str:
    """A key without the blanks and quotes that a file of variables may leave around it."""
    return key.strip().strip("\"'").strip()


def hide_secrets(text: str) -> str:
    """The text without the keys of this environment, and without passwords in addresses."""
    for name in SECRET_VARIABLES:
        key = strip_quotes(os.environ.get(name, ""))
        if len(key) >= SHORTEST_SECRET:
            text = text.replace(key, HIDDEN)
    return _PASSWORD.sub(HIDDEN, text)
