"""What servers say when they refuse: in bodies of any form, in headers, in words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any

from humobctl.llm.server.http import Response

_SAID = ("error", "message", "detail", "details", "errors", "msg", "error_description", "title")
"""Keys under which servers put their words, the one that says most first."""
_TOLD = ("type", "code", "status", "reason", "quotaId")
_QUOTA = re.compile(
    r"insufficient[_ ]?(quota|balance|credits?|funds)|billing[_ ]|exceeded your current quota"
    r"|credit balance|quota exhausted|out of credits|payment required|perday",
    re.IGNORECASE,
)
_FILTERED = re.compile(
    r"content[_ ]?filter|content management policy|content[_ ]policy|responsibleai"
    r"|data_inspection_failed",
    re.IGNORECASE,
)
_SYSTEM = re.compile(
    r"system[ _-]?(role|message|prompt|instruction|turn)|role\W+system|developer instruction"
    r"|only user(,| and) (and )?(assistant|model) roles|roles must alternate",
    re.IGNORECASE,
)
_LONG = re.compile(r"context[_ ](length|window|size)|too (long|many tokens)|maximum context", re.I)
_AGAIN = re.compile(r"(?:try again|retry)\w* (?:in|after) ((?:[\d.]+ ?(?:ms|h|m|s)\w*\s*)+)", re.I)
_DELAY = re.compile(rb'"retryDelay"\s*:\s*"([\d.]+)s"')
_PART = re.compile(r"([\d.]+) ?(ms|h|m|s)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def words_of(body: bytes) -> str:
    """What a refusal says, for people: the texts in it, whatever its form."""
    text = body.decode(errors="replace").strip()
    try:
        found = list(_words(json.loads(text)))
    except (ValueError, RecursionError):
        if text.startswith("<"):  # a page
            text = re.sub(r"(?is)<(script|style).*?</\1>|<[^>]*>", " ", text[:20_000])
        found = [text]
    return "; ".join(dict.fromkeys(word for word in found if word))


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        try:  # some put JSON into their message
            inner = json.loads(value) if value.lstrip().startswith(("{", "[")) else None
        except (ValueError, RecursionError):
            inner = None
        yield from [value] if inner is None else _words(inner)
    elif isinstance(value, list):
        for part in value[:3]:
            yield from _words(part)
    elif isinstance(value, dict):
        place = value.get("loc")
        said = [word for key in _SAID if value.get(key) for word in _words(value[key])]
        if isinstance(place, list) and said:
            yield f"{'.'.join(map(str, place))}: {said[0]}"
        elif said:
            yield from said
        else:
            yield from (str(value[key]) for key in _TOLD if isinstance(value.get(key), str))


def out_of_quota(body: bytes) -> bool:
    """Whether no more will be answered until the account is paid, or until tomorrow."""
    return _QUOTA.search(body.decode(errors="replace")) is not None


def is_filtered(body: bytes) -> bool:
    """Whether it is what the question says that is refused."""
    return _FILTERED.search(body.decode(errors="replace")) is not None


def refuses_system_turn(words: str) -> bool:
    """Whether it is a system turn that the model does not know."""
    return _SYSTEM.search(words) is not None


def is_too_long(words: str) -> bool:
    """Whether it is the length of the question that is refused."""
    return _LONG.search(words) is not None


def names(words: str, parameter: str) -> bool:
    """Whether a refusal names a parameter."""
    return re.search(rf"(?<![\w.]){parameter}(?!\w)|\.{parameter}(?!\w)", words) is not None


def asked_wait(response: Response, now: float) -> float | None:
    """Seconds that a server asks to wait; None where it does not say.

    Args:
        response: headers ``retry-after-ms`` or ``retry-after`` (seconds, or a date), or words.
        now: seconds since 1970.
    """
    headers = response.headers
    for found in (
        _number(headers.get("retry-after-ms"), 0.001),
        _number(headers.get("retry-after"), 1.0),
        _date(headers, now),
        _in_body(response.body),
    ):
        if found is not None:
            return found
    return None


def _number(text: str | None, unit: float) -> float | None:
    try:
        found = float(text or "") * unit
    except ValueError:
        return None
    return found if 0 <= found < 1e9 else None  # no NaN, either


def _date(headers: Mapping[str, str], now: float) -> float | None:
    """Until a date, by the server's own clock where it tells its time."""
    try:
        until = parsedate_to_datetime(headers["retry-after"]).timestamp()
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
    with suppress(KeyError, ValueError, TypeError, OverflowError):
        now = parsedate_to_datetime(headers["date"]).timestamp()
    return max(until - now, 0.0)


def _in_body(body: bytes) -> float | None:
    if delay := _DELAY.search(body):
        return _number(delay[1].decode(), 1.0)
    if not (again := _AGAIN.search(body.decode(errors="replace"))):
        return None
    parts = [(_number(number, _SECONDS[unit])) for number, unit in _PART.findall(again[1])]
    return sum(part for part in parts if part is not None) if parts else None
