"""Tokenizers of others, tried in a process of their own: they may hang, panic or fill the memory.

Regular expressions and replacements of a ``tokenizer.json`` run in native code that nothing ends.
Those that have some write a few pages of text first, in ``try_tokenizer``.
"""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path
from typing import Any

from humobctl.errors import HumobError
from humobctl.llm.model_files import TOKENIZER, ModelFiles, read_bounded, walk_keys

MOST_SECONDS = 20
"""Seconds of a processor, for all texts of the trial; real tokenizers take less than one."""
_SHORT = 32
"""Characters of a replacement that need no trial."""


def check_tokenizer(files: ModelFiles) -> None:
    """Refuse a tokenizer that does not come to an end with a few pages of text.

    Raises:
        HumobError: it does not, or its file is broken.
    """
    path = files.folder / TOKENIZER
    if files.gguf is None and path.is_file():
        about = path.stat()
        _check(files.name, str(path.resolve()), about.st_mtime_ns, about.st_size)


@functools.lru_cache(maxsize=64)
def _check(name: str, path: str, _changed: int, _size: int) -> None:
    record = read_bounded(Path(path))
    if not any(needs_trial(record.get(part)) for part in ("normalizer", "pre_tokenizer")):
        return
    script = Path(__file__).with_name("try_tokenizer.py")
    # -P: nothing is imported from the current folder.
    command = [sys.executable, "-P", str(script), path, str(MOST_SECONDS)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=4 * MOST_SECONDS,
            check=False,
        )
        ended = done.returncode == 0
    except subprocess.TimeoutExpired:
        ended = False
    if not ended:
        raise HumobError(
            f"{name}: {TOKENIZER}: found a tokenizer that fails, hangs or fills the memory with a "
            "few pages of text"
        )


def needs_trial(part: Any) -> bool:
    """Whether a part of a tokenizer has regular expressions, or long replacements."""
    return any(
        key == "Regex"
        or (key in ("content", "prepend") and isinstance(value, str) and len(value) > _SHORT)
        for key, value in walk_keys(part)
    )
