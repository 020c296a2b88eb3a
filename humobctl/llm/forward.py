"""Many questions in one pass of a network, in which each sees what a pass of its own would show it.

What sees what is a mask over the tokens. Layers differ in how far they look back, and networks in
what they do to their scores; both are in the config. A network that is unlike all that is known
here shows by its scores, which are compared with those of a plain pass.

Shapes:  B rows, Q tokens that see, K tokens that are seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from humobctl.native import Floats

TOLERANCE = {torch.float32: 0.02}
"""Nats by which scores of the same question may differ; other types are coarser."""
COARSE = 0.5
UNFIT = (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError)
"""What networks raise that have no place for masks, positions or a cache such as ours."""
FULL, SLIDING, CHUNKED = "full_attention", "sliding_attention", "chunked_attention"


def masks(network: Any, seen: Tensor, position: Tensor, others: Tensor) -> Any:
    """What a network takes as its attention mask.

    Args:
        network: a causal model, or its body.
        seen: which tokens may see which, however far apart, shape (B, 1, Q, K).
        position: of each token that sees, in its own text, shape (B, Q).
        others: of each token that is seen, shape (B, K).

    Returns:
        A mask, or one for each kind of layer.
    """
    config = network.config.get_text_config()
    back = (position[:, :, None] - others[:, None, :])[:, None]
    window, chunk = _window(config), getattr(config, "attention_chunk_size", None)
    found = {FULL: seen}
    if window:
        found[SLIDING] = seen & (back < window)
    if chunk:
        same = position[:, :, None] // chunk == others[:, None, :] // chunk
        found[CHUNKED] = seen & same[:, None]
    if config._attn_implementation == "eager":  # adds the mask to the scores
        least = torch.finfo(network.dtype).min
        found = {
            kind: torch.zeros(mask.shape, dtype=network.dtype, device=mask.device).masked_fill(
                ~mask, least
            )
            for kind, mask in found.items()
        }
    kinds = set(getattr(config, "layer_types", None) or ())
    if not kinds:
        return found.get(CHUNKED, found.get(SLIDING, found[FULL]))
    if kinds == {FULL}:
        return found[FULL]
    return {kind: found.get(kind, found[FULL]) for kind in kinds}


def _window(config: Any) -> int | None:
    """Tokens that a layer looks back, where some do not look back over all."""
    if not getattr(config, "use_sliding_window", True):
        return None
    window = getattr(config, "sliding_window", None)
    return int(window) if isinstance(window, int) and window > 0 else None


def context_of(network: Any) -> int:
    """Tokens of a network's context; many where its config names no limit."""
    config = network.config.get_text_config()
    return int(getattr(config, "max_position_embeddings", None) or 1 << 20)


class Head:
    """Scores of some tokens from the states of a network's body.

    Args:
        network: the causal model.
        tokens: which.
    """

    def __init__(self, network: Any, tokens: Sequence[int]) -> None:
        layer = network.get_output_embeddings()
        chosen = torch.as_tensor(tokens, device=layer.weight.device)
        self._weight = layer.weight[chosen].float().T
        bias = getattr(layer, "bias", None)
        self._bias = None if bias is None else bias[chosen].float()
        config = network.config.get_text_config()
        self._scale = float(getattr(config, "logit_scale", None) or 1.0)  # Cohere
        self._scale /= float(getattr(config, "logits_scaling", None) or 1.0)  # Granite
        self._cap = float(getattr(config, "final_logit_softcapping", None) or 0.0)  # Gemma

    def __call__(self, states: Tensor) -> Tensor:
        """Log-probabilities among these tokens, shape (..., tokens)."""
        scores = states.float() @ self._weight
        if self._bias is not None:
            scores = scores + self._bias
        if self._scale != 1.0:
            scores = scores * self._scale
        if self._cap:
            scores = torch.tanh(scores / self._cap) * self._cap
        found: Tensor = scores.log_softmax(-1)
        return found


def plain_scores(network: Any, ids: Sequence[int]) -> Tensor:
    """Scores of all tokens after a text, by a plain pass of the whole network."""
    device = next(network.parameters()).device
    out = network(input_ids=torch.tensor([list(ids)], device=device), use_cache=False)
    scores: Tensor = out.logits[0, -1].float()
    return scores


def agree(network: Any, found: Floats, wanted: Floats) -> bool:
    """Whether two sets of log-probabilities are the same but for rounding."""
    most = TOLERANCE.get(network.dtype, COARSE)
    near = np.exp(np.maximum(found, wanted)) > 1e-4  # what is that unlikely decides nothing
    return bool(np.isfinite(found).all() and (np.abs(found - wanted)[near] <= most).all())
