"""A GGUF file is read once while a model is loaded from it.

transformers parses the file for the tokenizer, for the config and for the weights, and makes the
table of tensor names anew for every layer: two thirds of the time that loading takes.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from importlib.util import find_spec

SLOW = ("GGUFReader", "get_tensor_name_map")
"""What transformers calls time and again with the same arguments."""


@contextlib.contextmanager
def read_once(model: str) -> Iterator[None]:
    """Within it a GGUF file is parsed when it is first asked for; other models are let be.

    Args:
        model: a folder, a GGUF file, or a name on the hub.
    """
    if not model.endswith(".gguf") or find_spec("gguf") is None:
        yield
        return
    import gguf  # noqa: PLC0415 - only these files need it

    before = {name: getattr(gguf, name) for name in SLOW}
    for name, slow in before.items():
        setattr(gguf, name, functools.cache(slow))
    try:
        yield
    finally:
        for name, slow in before.items():
            setattr(gguf, name, slow)
