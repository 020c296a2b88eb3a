"""Windows without padding beside the same windows as training sees them, padded."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from humobctl import native
from humobctl.predict.bert_moe import cpu_encoder
from humobctl.predict.bert_moe.cpu_encoder import Packing, Stream, _activated
from tests.predict.bert_moe.test_model import batch, network

PAST, AHEAD = 9, 6
VERSIONS = range(native.processor() + 1)
SIZES: dict[str, dict[str, int]] = {
    "the kernel's widths": {"hidden_size": 32, "attention_heads": 2},
    "heads of 32": {"hidden_size": 64, "attention_heads": 2},
    "others": {"hidden_size": 24, "attention_heads": 2},
    "more layers": {"hidden_size": 48, "attention_heads": 3, "hidden_layers": 4},
}


def uneven(size: int = 5) -> dict[str, torch.Tensor]:
    """Windows of which each has fewer rows than the one before, in front and behind."""
    inputs = batch(PAST, AHEAD, size=size, seed=3)
    inputs["city"] = torch.arange(size) % 2
    inputs["mask"] = torch.ones(size, PAST + AHEAD, dtype=torch.bool)
    for window in range(size):
        inputs["mask"][window, :window] = False
        inputs["mask"][window, PAST + AHEAD - window :] = False
    return inputs


def both_ways(net, inputs, monkeypatch):
    """What a network makes of windows, packed and padded."""
    with torch.no_grad():
        mine = net(**inputs)
        monkeypatch.setattr(cpu_encoder, "suits", lambda *_: False)
        return mine, net(**inputs)


@pytest.mark.parametrize("copy_heads", [0, 2])
@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_nothing_changes_without_padding(copy_heads, sizes, monkeypatch):
    net, inputs = network(copy_heads=copy_heads, **sizes), uneven()
    mine, wanted = both_ways(net, inputs, monkeypatch)
    there = inputs["mask"]
    ahead = there[:, PAST:]
    torch.testing.assert_close(mine.states[ahead], wanted.states[ahead], atol=1e-5, rtol=1e-5)
    if copy_heads:
        seen = there[:, None, :PAST] & ahead[:, :, None]
        torch.testing.assert_close(mine.copied[seen], wanted.copied[seen], atol=1e-5, rtol=1e-5)
        left = mine.generated[ahead], wanted.generated[ahead]
        torch.testing.assert_close(*left, atol=1e-5, rtol=1e-5)
    else:
        assert mine.copied is wanted.copied is None


@pytest.mark.parametrize("copy_heads", [0, 2])
def test_without_a_mask_all_rows_are_there(copy_heads, monkeypatch):
    net, inputs = network(copy_heads=copy_heads), batch(PAST, AHEAD)
    mine, wanted = both_ways(net, inputs, monkeypatch)
    torch.testing.assert_close(mine.states, wanted.states, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(mine.loss, wanted.loss)


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_bf16_is_near(sizes, monkeypatch):
    net, inputs = network(**sizes), uneven()
    ahead = inputs["mask"][:, PAST:]
    with torch.no_grad():
        with torch.autocast("cpu", torch.bfloat16):
            rough = net(**inputs).states[ahead].float()
        monkeypatch.setattr(cpu_encoder, "suits", lambda *_: False)
        exact = net(**inputs).states[ahead]
        with torch.autocast("cpu", torch.bfloat16):
            padded = net(**inputs).states[ahead].float()
    assert rough.dtype == exact.dtype
    error, usual = (rough - exact).abs().mean(), (padded - exact).abs().mean()
    assert 0 < error < 2 * usual


@pytest.mark.parametrize("copy_heads", [0, 2])
@pytest.mark.parametrize("bf16", [False, True])
def test_rows_of_a_window_are_the_same_bits_whatever_is_beside(bf16, copy_heads):
    net = network(copy_heads=copy_heads, hidden_size=64, attention_heads=4)
    states, there = torch.randn(40, PAST + AHEAD, 64), torch.rand(40, PAST + AHEAD) < 0.8

    def encoded(first, last):
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            return cpu_encoder.encode(net, states[first:last], there[first:last], PAST)

    together = encoded(0, 40)
    for first, last in ((0, 1), (3, 4), (5, 30), (39, 40)):
        assert torch.equal(encoded(first, last), together[first:last])


def test_training_and_gradients_take_the_other_way(monkeypatch):
    monkeypatch.setattr(cpu_encoder, "encode", lambda *_: pytest.fail("packed"))
    net, inputs = network(), uneven()
    net(**inputs).loss.backward()
    with torch.no_grad():
        net.train()(**inputs)


def test_so_do_weights_in_bf16(monkeypatch):
    net, inputs = network().to(torch.bfloat16), uneven()
    with torch.no_grad():
        wanted = network()(**inputs).loss.item()
        monkeypatch.setattr(cpu_encoder, "encode", lambda *_: pytest.fail("packed"))
        assert net(**inputs).loss.item() == pytest.approx(wanted, rel=0.05)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.booleans(), min_size=11, max_size=11), min_size=1, max_size=6))
def test_packing_and_back(there):
    mask = torch.tensor(there)
    packing = Packing.of(mask)
    assert packing.length % 64 == 0
    values = torch.arange(1.0, mask.numel() * 3 + 1).view(*mask.shape, 3)
    rows = packing.pack(values)
    count = int(mask.sum())
    assert torch.equal(rows[:count], values[mask])
    assert (rows[count:] == 0).all()
    assert torch.equal(packing.unpack(rows), values * mask[..., None])
    for window, (first, number, begin, seen) in enumerate(packing.spans.tolist()):
        assert (first, number) == (begin, seen)
        assert torch.equal(rows[first : first + number], values[window][mask[window]])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("width", [16, 48, 256, 40])
@pytest.mark.parametrize("version", VERSIONS)
def test_add_norm_is_torchs(width, dtype, version, monkeypatch):
    monkeypatch.setattr(native, "processor", lambda: version)
    torch.manual_seed(0)
    norm, layer = nn.LayerNorm(width, eps=1e-12), nn.Linear(24, width)
    for values in (norm.weight, norm.bias, layer.bias):
        nn.init.normal_(values)
    rows = 3 + 5 * torch.randn(700, width)
    seen = (2 * torch.randn(700, 24)).to(dtype)
    stream = Stream(rows.clone(), dtype)
    with torch.inference_mode():
        for some in stream.chunks():
            stream.add_norm(some, seen[some], layer, norm)
        # The product comes in the type of its parts.
        added = (seen @ layer.weight.to(dtype).t()).double() + layer.bias.double()
        weight, bias = norm.weight.double(), norm.bias.double()
        wanted = functional.layer_norm(rows.double() + added, (width,), weight, bias, norm.eps)
    close = 2e-5 if dtype == torch.float32 or width % 16 == 0 else 2e-2
    torch.testing.assert_close(stream.rows.double(), wanted, atol=close, rtol=close)
    assert stream.cast.dtype == dtype
    assert torch.equal(stream.cast, stream.rows.to(dtype))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("version", VERSIONS)
def test_activation_is_torchs(dtype, version, monkeypatch):
    monkeypatch.setattr(native, "processor", lambda: version)
    layer = nn.Linear(48, 48)
    with torch.inference_mode():
        layer.weight.copy_(torch.eye(48))
        nn.init.normal_(layer.bias)
        numbers = torch.cat([torch.linspace(-12, 12, 9_000), torch.tensor([0.0, 1e-30, -1e4, 1e4])])
        rows = numbers.repeat(48)[: 9_004 * 4].view(-1, 1).expand(-1, 48).to(dtype).contiguous()
        found = _activated(rows, layer)
        wanted = functional.gelu(rows.double() + layer.bias.double())
    assert found.dtype == dtype
    close = 1e-6 if dtype == torch.float32 else 2**-8
    torch.testing.assert_close(found.double(), wanted, atol=1e-6, rtol=close)
