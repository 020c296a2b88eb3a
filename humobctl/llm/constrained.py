"""Sampling that cannot leave a JSON schema, and that depends on each row's own seed alone.

llguidance says which tokens may come next. The token is drawn by the Gumbel-max trick: the largest
of score / temperature + Gumbel noise is a draw from the softmax. The noise of a row comes from its
own generator, so that a row's draws do not depend on which others are in the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from llguidance import LLMatcher
from transformers import LogitsProcessor

TINY = 1e-20
"""Keeps the logarithm of a draw of 0 finite."""


class Constrained(LogitsProcessor):  # type: ignore[misc]
    """Lets each row go on only as its matcher allows.

    Args:
        matchers: one a row; they hold what a row has said so far.
        prompt: tokens of the prompt, padding included, which the matchers do not see.
        temperature: of sampling; 0 adds no noise.
        seeds: one a row.
        end: the token that ends an answer; once its form is full, a row says nothing else.
    """

    def __init__(
        self,
        matchers: Sequence[LLMatcher],
        prompt: int,
        temperature: float,
        seeds: Sequence[int],
        end: int,
    ) -> None:
        self._matchers, self._make_seen, self._temperature = matchers, prompt, temperature
        self._end = end
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Scores (batch, vocabulary) of which the largest is the token that is drawn."""
        said = input_ids[:, self._make_seen :].tolist()
        self._make_seen = input_ids.shape[1]
        found = scores.float()
        for row, matcher in enumerate(self._matchers):
            if not matcher.is_stopped():
                matcher.consume_tokens(said[row])
            if matcher.is_stopped():
                found[row] = float("-inf")
                found[row, self._end] = 0
            else:
                found[row] = self._draw(row, matcher, found[row])
        return found

    def _draw(self, row: int, matcher: LLMatcher, scores: Any) -> Any:
        bits = np.frombuffer(matcher.compute_bitmask(), np.uint8)
        allowed = np.flatnonzero(np.unpackbits(bits, bitorder="little")[: scores.shape[0]])
        tokens = torch.from_numpy(allowed).to(scores.device)
        kept = scores[tokens]
        if self._temperature > 0:
            uniform = torch.rand(len(allowed), generator=self._generators[row])
            noise = -torch.log(-torch.log(uniform + TINY) + TINY)
            kept = kept / self._temperature + noise.to(scores.device)
        return torch.full_like(scores, float("-inf")).index_copy(0, tokens, kept)
