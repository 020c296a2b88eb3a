"""What the ``openai`` backend needs to know, from options and the environment."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from humobctl.console.safe_text import HIDDEN, SHORTEST_SECRET, strip_quotes
from humobctl.errors import HumobError, UsageError

KEY_VARIABLE = "OPENAI_API_KEY"
URL_VARIABLE = "OPENAI_BASE_URL"
OPENAI_URL = "https://api.openai.com/v1"

_OURS = ("model", "messages", "prompt", "stream", "n", "logprobs", "top_logprobs")
"""Fields of a request that the reading of its answer depends on."""


class Secret:
    """The key. It shows itself only to whom ``reveal`` is called for."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __repr__(self) -> str:
        return HIDDEN

    def reveal(self) -> str:
        """The key itself."""
        return self._key

    def hide(self, text: str, *, short: bool = False) -> str:
        """The text without the key, which a server may have sent back.

        Args:
            text: from the server.
            short: also hide a short key, where it stands for itself: in messages, but not in
                answers, which may have it as a word.
        """
        if len(self._key) >= SHORTEST_SECRET:
            return text.replace(self._key, HIDDEN)
        if short and self._key:
            return re.sub(rf"(?<!\w){re.escape(self._key)}(?!\w)", HIDDEN, text)
        return text


@dataclass(frozen=True)
class OpenAIConfig:
    """Settings of the ``openai`` backend.

    Attributes:
        model: name of the model, as the server knows it.
        base_url: of the server, up to and with ``/v1``.
        concurrency: conversations held at the same time.
        retries: of a call that the server failed, before its plan is given up.
        timeout: seconds for one answer.
        temperature: of sampling.
        answer_tokens: of one answer, at most.
        plans_per_template: plans of people of the same attributes that share a conversation.
        price_input: money for a million tokens that are sent.
        price_output: money for a million tokens that are answered.
        max_cost: money that this run may cost; the run stops before it.
        max_tokens_total: tokens that this run may use; the run stops before it.
        extra_body: fields that are added to each request, such as ``enable_thinking``.
    """

    model: str
    base_url: str = OPENAI_URL
    concurrency: int = 8
    retries: int = 5
    timeout: float = 120.0
    temperature: float = 1.0
    answer_tokens: int = 512
    plans_per_template: int = 1
    price_input: float | None = None
    price_output: float | None = None
    max_cost: float | None = None
    max_tokens_total: int | None = None
    extra_body: dict[str, Any] = field(default_factory=dict)

    @property
    def server(self) -> str:
        """The base URL without a query, for people to read."""
        parts = urlsplit(self.base_url)
        return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))


def make_config(options: dict[str, Any]) -> OpenAIConfig:
    """The settings of these options; what they leave out is by default or from the environment.

    Raises:
        UsageError: no model, a URL that is none or holds a password, or a limit without prices.
    """
    options = dict(options)
    options.setdefault("base_url", os.environ.get(URL_VARIABLE) or OPENAI_URL)
    if "model" not in options:
        raise UsageError("--backend openai needs --model NAME, as the server knows it")
    options["extra_body"] = parse_extra(options.get("extra_body"))
    config = OpenAIConfig(**options)
    try:
        parts = urlsplit(config.base_url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1)
    except ValueError:
        valid = False
    if not valid:
        raise UsageError("--base-url: expected an address such as http://localhost:8080/v1")
    if parts.username or parts.password:
        raise UsageError(f"--base-url: found a password in it, expected the key in {KEY_VARIABLE}")
    if config.max_cost is not None and None in (config.price_input, config.price_output):
        raise UsageError("--max-cost needs --price-input and --price-output")
    return config


def parse_extra(given: str | dict[str, Any] | None) -> dict[str, Any]:
    """The fields of ``--extra-body``.

    Raises:
        UsageError: no JSON object, or fields that are made here.
    """
    if given is None:
        return {}
    try:
        found = json.loads(given) if isinstance(given, str) else given
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UsageError(
            """--extra-body: expected a JSON object, such as '{"enable_thinking": false}'"""
        )
    for name in _OURS:
        if name in found:
            raise UsageError(f"--extra-body: found {name}, which has another option or none")
    return found


def key_for(config: OpenAIConfig) -> Secret:
    """The key in the environment; empty for servers that need none.

    Raises:
        HumobError: there is none, and OpenAI itself is to be asked.
    """
    key = strip_quotes(os.environ.get(KEY_VARIABLE, ""))
    if not key and urlsplit(config.base_url).hostname == urlsplit(OPENAI_URL).hostname:
        raise HumobError(
            f"{config.server}: found no API key, expected one in the variable {KEY_VARIABLE}"
        )
    if not key.isascii() or not key.isprintable():
        raise HumobError(f"{KEY_VARIABLE}: found characters that are not allowed in a key")
    return Secret(key)
