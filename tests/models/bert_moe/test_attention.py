"""The attention kernel beside torch's attention in float64."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from humobctl.models.bert_moe.attention import attend


def parts(width, queries, keys, *, dtype=torch.float32, size=1.0, windows=3, heads=2):
    torch.manual_seed(0)
    shapes = [(windows, heads, length, width) for length in (queries, keys, keys)]
    return [(size * torch.randn(shape)).to(dtype) for shape in shapes]


def hidden(windows, keys, *ranges):
    """A mask of rows; each range of keys is not to be looked at, in the window of its place."""
    mask = torch.zeros(windows, 1, 1, keys)
    for window, keys_out in enumerate(ranges):
        mask[window, :, :, keys_out] = float("-inf")
    return mask


def exact(query, key, value, mask):
    wide = [part.double() for part in (query, key, value)]
    mask = None if mask is None else mask.double()
    return functional.scaled_dot_product_attention(*wide, attn_mask=mask).transpose(1, 2)


@pytest.mark.parametrize("width", [16, 32])
@pytest.mark.parametrize(("queries", "keys"), [(1, 1), (8, 16), (5, 17), (23, 40), (64, 33)])
def test_it_is_attention(width, queries, keys):
    query, key, value = parts(width, queries, keys)
    for mask in (None, hidden(3, keys, slice(0, keys // 2), slice(keys // 2 + 1, keys))):
        with torch.inference_mode():
            found = attend(query, key, value, mask)
        assert found.is_contiguous()
        torch.testing.assert_close(
            found.double(), exact(query, key, value, mask), rtol=1e-5, atol=1e-5
        )


def test_bf16_is_rounded_once():
    query, key, value = parts(16, 37, 50, dtype=torch.bfloat16)
    with torch.inference_mode():
        found = attend(query, key, value, None)
    wanted = exact(query, key, value, None)
    assert found.dtype == torch.bfloat16
    # Half a unit in the last of eight digits.
    assert ((found.double() - wanted).abs() <= wanted.abs() * 2**-8 + 1e-6).all()


@pytest.mark.parametrize("size", [8.0, 60.0, 1000.0])
def test_large_scores_do_not_overflow(size):
    # Scores of up to size ** 2 * 16: 2 to the power of it is beyond a float.
    query, key, value = parts(16, 9, 40, size=size)
    with torch.inference_mode():
        found = attend(query, key, value, None)
    assert found.isfinite().all()
    torch.testing.assert_close(
        found.double(), exact(query, key, value, None), rtol=2e-2, atol=2e-2 * size
    )


def test_a_window_without_keys_finds_nothing():
    query, key, value = parts(16, 4, 10)
    with torch.inference_mode():
        found = attend(query, key, value, hidden(3, 10, slice(0, 10)))
    assert (found[0] == 0).all()
    assert found[1:].isfinite().all()
    assert (found[1:] != 0).all()


@pytest.mark.parametrize("threads", ["1", "2", "3"])
def test_threads_change_nothing(threads, monkeypatch):
    query, key, value = parts(16, 20, 20, windows=9, heads=8)
    with torch.inference_mode():
        monkeypatch.setenv("HUMOBCTL_THREADS", "1")
        alone = attend(query, key, value, None)
        monkeypatch.setenv("HUMOBCTL_THREADS", threads)
        assert torch.equal(attend(query, key, value, None), alone)


def test_training_has_gradients():
    query, key, value = parts(16, 4, 6)
    query.requires_grad_()
    attend(query, key, value, None).sum().backward()
    assert query.grad is not None
    assert query.grad.abs().sum() > 0


def test_other_widths_are_torchs():
    query, key, value = parts(24, 4, 6)
    with torch.inference_mode():
        found = attend(query, key, value, None)
    torch.testing.assert_close(found.double(), exact(query, key, value, None), rtol=1e-5, atol=1e-5)
