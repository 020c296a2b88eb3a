"""A mixture of experts over rows, dense or top-k.

Shapes:  N rows, H hidden size, E experts, k experts used for a row.

An expert is one linear layer and a GELU, as in ST-MoE-BERT; all experts are one tensor, so that a
row goes through them in one matrix product and not in a loop. Top-k routing weighs the k likeliest
experts by their shares, made to sum to 1 where there are several (with one, its share is the
weight, or the gate would not learn). The load-balance term is E * sum_e f_e P_e, where f_e is the
fraction of rows sent to expert e and P_e its mean gate (Fedus, Zoph, Shazeer: "Switch
Transformers", 2021, eq. 4).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class MixtureOfExperts(nn.Module):
    """Rows (N, H) to rows (N, H), by E experts and a gate."""

    def __init__(self, hidden: int, experts: int, top_k: int = 0) -> None:
        """Make E experts; ``top_k`` 0 uses them all."""
        super().__init__()
        self.top_k = 0 if top_k >= experts else top_k
        self.gate = nn.Linear(hidden, experts)
        self.weight = nn.Parameter(torch.empty(experts, hidden, hidden))
        self.bias = nn.Parameter(torch.zeros(experts, hidden))

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The mixed rows (N, H), and the load-balance term (0 where all experts are used)."""
        share = self.gate(rows).float().softmax(dim=-1)
        if not self.top_k:
            return self._dense(rows, share), rows.new_zeros(())
        return self._route(rows, share)

    def _dense(self, rows: Tensor, share: Tensor) -> Tensor:
        experts, hidden, _ = self.weight.shape
        out = functional.linear(rows, self.weight.reshape(-1, hidden), self.bias.reshape(-1))
        out = functional.gelu(out).view(-1, experts, hidden)
        return torch.bmm(share.to(out.dtype).unsqueeze(1), out).squeeze(1)

    def _route(self, rows: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
        """Rows sorted by expert, so that each expert is one product over its rows."""
        experts = share.shape[1]
        best, chosen = share.topk(self.top_k, dim=-1)
        weight = best if self.top_k == 1 else best / best.sum(dim=-1, keepdim=True)
        flat = chosen.reshape(-1)
        order = flat.argsort(stable=True)
        counts = torch.bincount(flat, minlength=experts)
        row = order // self.top_k
        parts = [
            functional.linear(part, w, b)
            for part, w, b in zip(
                torch.split(rows[row], counts.tolist()), self.weight, self.bias, strict=True
            )
        ]
        out = functional.gelu(torch.cat(parts)) * weight.reshape(-1)[order].unsqueeze(1).to(
            rows.dtype
        )
        mixed = torch.zeros(rows.shape, dtype=out.dtype, device=rows.device)
        mixed = mixed.index_add(0, row, out)
        balance = experts * (counts / max(len(flat), 1) * share.mean(dim=0)).sum()
        return mixed, balance
