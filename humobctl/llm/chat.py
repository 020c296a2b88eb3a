"""Conversations as text, by a model's chat template: a program of others, run with bounds.

A template can say nothing but text (jinja's sandbox), but it can loop, and make text that fills the
memory. So it gets a time and a piece of memory, and its text has a length that conversations have.
"""

from __future__ import annotations

import resource
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from humobctl.errors import HumobError
from humobctl.llm.json_reply import tidy
from humobctl.llm.question import Message, fold_system_turn

MOST_SECONDS = 10.0
MOST_MEMORY = 1 << 30
"""Bytes beyond those in use, where the system tells how many these are."""
MOST_ADDED = 100_000
"""Characters that a template may add to the messages, and to each of them."""
Turns = Sequence[Message]


class _TooLong(BaseException):
    """The time is up; no Exception, which a template's environment might turn into another."""


def conversation_text(tokenizer: Any, messages: Turns) -> str:
    """Messages in the model's chat template, up to where its answer begins.

    Texts of control tokens are taken out of the messages. A model that knows no system turn gets
    it before the first question.

    Raises:
        HumobError: the template fails, takes too long, or makes no conversation of them.
    """
    special = special_texts(tokenizer)
    plain = [{**turn, "content": _without(special, turn["content"])} for turn in messages]
    try:
        return _fill(tokenizer, plain)
    except HumobError:
        raise
    except Exception as exc:  # templates that know no system turn raise what they like
        if [turn["role"] for turn in plain[:2]] != ["system", "user"]:
            raise _template_error(tokenizer, exc) from exc
    try:
        return _fill(tokenizer, fold_system_turn(plain))
    except HumobError:
        raise
    except Exception as exc:
        raise _template_error(tokenizer, exc) from exc


def require_chat_template(tokenizer: Any, name: str) -> None:
    """Refuse a tokenizer that knows no conversations, or not how an answer ends.

    Raises:
        HumobError: it has no chat template, or no end token.
    """
    if not tokenizer.chat_template:
        raise HumobError(f"{name}: found no chat template, expected an instruct model")
    if tokenizer.eos_token_id is None:
        raise HumobError(f"{name}: found no end token, expected one (eos_token) that ends answers")


def special_texts(tokenizer: Any) -> list[str]:
    """Texts that the tokenizer takes for control tokens, the longest first."""
    added = [str(token) for token in tokenizer.added_tokens_decoder.values() if token.special]
    return sorted({*added, *tokenizer.all_special_tokens}, key=len, reverse=True)


def _fill(tokenizer: Any, messages: Turns) -> str:
    with _limit(tokenizer):
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    room = (len(messages) + 1) * MOST_ADDED + sum(len(turn["content"]) for turn in messages)
    if not isinstance(text, str) or len(text) > room:
        raise HumobError(f"{_name(tokenizer)}: found a chat template whose text never ends")
    return text


def _without(special: Sequence[str], text: str) -> str:
    """Text that ends no turn and begins none, whatever a profile says."""
    for token in special:
        text = text.replace(token, " ")
    return text


def _template_error(tokenizer: Any, exc: Exception) -> HumobError:
    said = tidy(str(exc) or type(exc).__name__, 160)
    return HumobError(f"{_name(tokenizer)}: found a chat template that fails ({said})")


def _name(tokenizer: Any) -> str:
    return str(getattr(tokenizer, "name_or_path", "") or "tokenizer")


@contextmanager
def _limit(tokenizer: Any) -> Iterator[None]:
    """Within it, neither time nor memory goes beyond what a template needs.

    The time is kept in the main thread alone, where signals are taken.

    Raises:
        HumobError: it went on for too long, or wanted too much.
    """
    try:
        with _memory(), _time():
            yield
    except _TooLong:
        raise HumobError(
            f"{_name(tokenizer)}: found a chat template that takes longer than {MOST_SECONDS:g} s"
        ) from None
    except MemoryError:
        raise HumobError(
            f"{_name(tokenizer)}: found a chat template that wants more than {MOST_MEMORY >> 30} GB"
        ) from None


@contextmanager
def _memory() -> Iterator[None]:
    statm = Path("/proc/self/statm")
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if not statm.is_file():
        yield
        return
    used = int(statm.read_text().split()[0]) * resource.getpagesize()
    wanted = used + MOST_MEMORY
    lower = soft == resource.RLIM_INFINITY or wanted < soft
    if lower:
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
    try:
        yield
    finally:
        if lower:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextmanager
def _time() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, stop)
    # Again and again: one that comes while another error is handled may be lost.
    signal.setitimer(signal.ITIMER_REAL, MOST_SECONDS, 0.5)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
