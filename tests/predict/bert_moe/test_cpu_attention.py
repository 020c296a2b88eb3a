"""The attention kernel beside torch's attention in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.nn import functional

from humobctl import native
from humobctl.predict.bert_moe.cpu_attention import attend

HEADS = 2


@pytest.fixture(autouse=True, params=range(native.processor() + 1))
def version(request):
    """Every version of the kernel that this processor can run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "processor", lambda: request.param)
        yield request.param


def spans_of(*counts):
    """Spans of windows one after the other, each of some queries and some keys."""
    queries, keys = np.array(counts, np.int64).reshape(-1, 2).T
    first, begin = np.cumsum(queries) - queries, np.cumsum(keys) - keys
    return np.stack([first, queries, begin, keys], axis=1)


def parts(width, spans, *, dtype=torch.float32, size=1.0, heads=HEADS, seed=0):
    """Queries (N, heads * width), keys and values (M, heads * width)."""
    torch.manual_seed(seed)
    rows = int(spans[:, 1].sum()), *[int(spans[:, 3].sum())] * 2
    return [(size * torch.randn(count, heads * width)).to(dtype) for count in rows]


def exact(query, key, value, spans, heads=HEADS):
    """The same in float64, span by span."""
    found = torch.zeros(query.shape, dtype=torch.float64)
    for first, count, begin, seen in spans.tolist():
        if count and seen:
            some = query[first : first + count], key[begin:][:seen], value[begin:][:seen]
            wide = (p.double().view(1, len(p), heads, -1).transpose(1, 2) for p in some)
            mixed = functional.scaled_dot_product_attention(*wide)
            found[first : first + count] = mixed[0].transpose(0, 1).reshape(count, -1)
    return found


@pytest.mark.parametrize("width", [16, 24, 32])
@pytest.mark.parametrize("counts", [(1, 1), (8, 16), (5, 17), (23, 40), (64, 33)])
def test_it_is_attention(width, counts):
    spans = spans_of(counts, (7, 21), counts)
    query, key, value = parts(width, spans)
    found = attend(query, key, value, spans, HEADS)
    assert found.is_contiguous()
    torch.testing.assert_close(
        found.double(), exact(query, key, value, spans), rtol=1e-5, atol=1e-5
    )


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 70)), min_size=1, max_size=5),
    st.sampled_from([16, 32]),
    st.sampled_from([torch.float32, torch.bfloat16]),
    st.integers(0, 1000),
)
def test_spans_of_any_lengths(counts, width, dtype, seed):
    spans = spans_of(*counts)
    query, key, value = parts(width, spans, dtype=dtype, seed=seed)
    found = attend(query, key, value, spans, HEADS)
    close = 1e-5 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(
        found.double(), exact(query, key, value, spans), rtol=close, atol=close
    )


@pytest.mark.parametrize("width", [16, 32])
def test_bf16_rounds_weights_and_answers(width):
    spans = spans_of((37, 50), (9, 9))
    query, key, value = parts(width, spans, dtype=torch.bfloat16)
    found = attend(query, key, value, spans, HEADS)
    wanted = exact(query, key, value, spans)
    assert found.dtype == torch.bfloat16
    # Each answer is rounded to eight digits, and each weight may be: half a unit in the last of
    # both, where the mean of sizes is what the weights' roundings can add up to.
    sizes = exact(query, key, value.abs(), spans)
    assert ((found.double() - wanted).abs() <= (wanted.abs() + sizes) * 2**-8 + 1e-6).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("width", [16, 32])
@pytest.mark.parametrize("size", [8.0, 60.0, 1000.0])
def test_large_scores_do_not_overflow(size, width, dtype):
    # Scores of up to size ** 2 * 16: 2 to the power of it is beyond a float.
    spans = spans_of((9, 40), (3, 5))
    query, key, value = parts(width, spans, size=size, dtype=dtype)
    found = attend(query, key, value, spans, HEADS)
    assert found.isfinite().all()
    torch.testing.assert_close(
        found.double(), exact(query, key, value, spans), rtol=2e-2, atol=2e-2 * size
    )


@pytest.mark.parametrize("width", [16, 24, 32])
def test_a_span_without_keys_finds_nothing(width):
    spans = spans_of((4, 0), (5, 10))
    query, key, value = parts(width, spans)
    found = attend(query, key, value, spans, HEADS)
    assert (found[:4] == 0).all()
    assert found[4:].isfinite().all()
    assert (found[4:] != 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rows_in_no_span_are_zeros_and_are_not_looked_at(dtype):
    spans = spans_of((6, 6), (11, 11))
    query, key, value = parts(16, spans, dtype=dtype)
    alone = attend(query, key, value, spans, HEADS)
    more = [torch.cat([part, torch.full_like(part[:4], torch.nan)]) for part in (query, key, value)]
    found = attend(*more, spans, HEADS)
    assert torch.equal(found[:17], alone)
    assert (found[17:] == 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("width", [16, 24, 32])
def test_parts_of_longer_rows_are_the_same(width, dtype):
    spans = spans_of((12, 12), (20, 20))
    alone = parts(width, spans, dtype=dtype)
    side_by_side = torch.cat(alone, dim=1).chunk(3, dim=1)
    assert not side_by_side[0].is_contiguous()
    assert torch.equal(attend(*side_by_side, spans, HEADS), attend(*alone, spans, HEADS))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_span_is_the_same_wherever_it_is(dtype):
    spans = spans_of((20, 31), (3, 8), (17, 17))
    query, key, value = parts(16, spans, dtype=dtype)
    together = attend(query, key, value, spans, HEADS)
    for first, count, begin, seen in spans.tolist():
        some = query[first:][:count], key[begin:][:seen], value[begin:][:seen]
        alone = attend(*some, spans_of((count, seen)), HEADS)
        assert torch.equal(alone, together[first : first + count])


@pytest.mark.parametrize("threads", ["1", "2", "3"])
def test_threads_change_nothing(threads, monkeypatch):
    spans = spans_of(*[(20, 20)] * 9)
    query, key, value = parts(16, spans, heads=8)
    monkeypatch.setenv("HUMOBCTL_THREADS", "1")
    alone = attend(query, key, value, spans, 8)
    monkeypatch.setenv("HUMOBCTL_THREADS", threads)
    assert torch.equal(attend(query, key, value, spans, 8), alone)
