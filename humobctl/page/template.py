"""Pages put together from a template, styles, scripts and data, as one text that loads nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

import numpy as np


def policy(images: Iterable[str] = ()) -> str:
    """The Content-Security-Policy: nothing from or to elsewhere, and no text becomes code.

    Args:
        images: origins that pictures may come from, too.
    """
    pictures = " ".join(("'self'", "data:", "blob:", *images))
    return (
        "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'unsafe-inline'; "
        f"img-src {pictures}; connect-src 'self'; "
        "form-action 'none'; base-uri 'none'"
    )


def page_text(package: str, name: str) -> str:
    """The text of a template, a style or a script beside the code of a package."""
    return (files(package) / name).read_text(encoding="utf-8")


def shared_parts() -> dict[str, str]:
    """The style and the scripts that all pages have, by their marks."""
    here = __package__ or ""
    return {
        "__COMMON_CSS__": page_text(here, "common.css"),
        "__COMMON__": page_text(here, "common.js"),
        "__PIXELS__": page_text(here, "pixels.js"),
    }


def fill(template: str, parts: Mapping[str, str]) -> str:
    """The template with a part for each mark; what was put in is not looked at again."""
    done, rest = [], template
    while places := [(rest.index(mark), mark) for mark in parts if mark in rest]:
        place, mark = min(places)
        done += [rest[:place], parts[mark]]
        rest = rest[place + len(mark) :]
    return "".join([*done, rest])


def as_json(record: Mapping[str, Any]) -> str:
    """A record as JSON that may stand in a page: without ``<``."""
    return json.dumps(record).replace("<", "\\u003c")


def pack(values: np.ndarray[Any, Any], kind: str) -> str:
    """An array as base64 of numbers of a kind, such as ``<u2``."""
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode("ascii")
