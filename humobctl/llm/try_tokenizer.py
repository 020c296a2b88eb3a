"""``python try_tokenizer.py FILE SECONDS`` writes a few pages of text in tokens.

It ends well, or not: the system ends a process that takes too much. Nothing else is imported.
"""

from __future__ import annotations

import resource
import string
import sys

MOST_MEMORY = 6 << 30
"""Bytes of address space."""
_SENTENCES = "The day begins at 7:30, at home (cell 84,199); then: go to work, eat & sleep!\n"
TEXTS = (
    _SENTENCES * 50,
    *(f"{character * 200}\x01" for character in string.printable),
    *(piece * 1000 for piece in ("a", " ", "1", "\n", "ab ", "1 2\n", "!?", "\u6771")),
)


def main(path: str, seconds: int) -> None:
    """Write all texts."""
    import tokenizers  # noqa: PLC0415 - an optional package

    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    tokenizer = tokenizers.Tokenizer.from_file(path)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    for text in TEXTS:
        tokenizer.encode(text)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
