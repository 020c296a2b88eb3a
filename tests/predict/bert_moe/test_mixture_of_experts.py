"""The mixture of experts, against a loop over experts, rows and sums written out."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from humobctl.predict.bert_moe.mixture_of_experts import MixtureOfExperts


@pytest.fixture
def moe():
    torch.manual_seed(3)
    made = MixtureOfExperts(6, 4)
    torch.nn.init.normal_(made.weight)
    torch.nn.init.normal_(made.bias)
    return made


def slow(moe: MixtureOfExperts, rows: torch.Tensor, top_k: int) -> torch.Tensor:
    out = torch.zeros_like(rows)
    for i, row in enumerate(rows):
        share = moe.gate(row).softmax(-1)
        chosen = share.argsort(descending=True)[:top_k].tolist()
        total = sum(share[e] for e in chosen) if top_k > 1 else 1
        for e in chosen:
            out[i] += share[e] / total * functional.gelu(moe.weight[e] @ row + moe.bias[e])
    return out


@pytest.mark.parametrize("top_k", [1, 2, 3, 4])
def test_a_row_is_the_weighted_sum_of_its_experts(moe, top_k):
    rows = torch.randn(11, 6)
    moe.top_k = top_k if top_k < 4 else 0
    mixed, balance = moe(rows)
    torch.testing.assert_close(mixed, slow(moe, rows, top_k), atol=1e-5, rtol=1e-5)
    assert (balance.item() == 0) == (top_k == 4)


def test_the_balance_term_is_least_when_rows_are_spread():
    moe = MixtureOfExperts(4, 4, top_k=1)
    torch.nn.init.zeros_(moe.weight)
    with torch.no_grad():
        moe.gate.weight.copy_(10 * torch.eye(4))
        moe.gate.bias.zero_()
    spread = moe(torch.eye(4))[1].item()
    crowded = moe(torch.eye(4)[[0, 0, 0, 0]])[1].item()
    # f_e = P_e = 1/4 gives 1; all rows at one expert give E * 1 * (nearly 1).
    assert spread == pytest.approx(1.0)
    assert crowded == pytest.approx(4.0, rel=1e-3)


def test_no_row_at_all(moe):
    for top_k in (0, 2):
        moe.top_k = top_k
        mixed, _ = moe(torch.zeros(0, 6))
        assert mixed.shape == (0, 6)


def test_every_expert_learns(moe):
    moe.top_k = 2
    moe(torch.randn(64, 6))[0].sum().backward()
    assert (moe.weight.grad.abs().sum(dim=(1, 2)) > 0).all()
