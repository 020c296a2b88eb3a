"""The network of ST-MoE-BERT as a transformers model.

Shapes:  B windows, L past rows, P rows to predict, S = L + P, H hidden size, V visited cells,
         C copy heads, k candidate cells.

Past and future rows are embedded alike, a future row without its cell, and go through one
bidirectional BERT encoder. A mixture of experts and a linear layer turn the future rows into a
distribution over the visited cells. Where there are copy heads, each is a further distribution: its
attention over the past rows, which copies their cells; a gate weighs the distributions
(pointer-generator: See, Liu, Manning 2017). So a cell that a person has been to can be answered
although the city's other people have never been there.

The softmax is over the cells that the training data visit. A cell outside of them has no training
row, so that its score could only be a constant: leaving it out gives the others the scores that
they have among themselves.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertConfig, BertModel, PreTrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput

from humobctl.errors import HumobError
from humobctl.llm.model_files import refuse_outside
from humobctl.predict.bert_moe.config import TYPE, BertMoeSettings
from humobctl.predict.bert_moe.copy_heads import CopyHeads
from humobctl.predict.bert_moe.mixture_of_experts import MixtureOfExperts
from humobctl.training.model_dir import ADAPTER_CONFIG, check_layers, clear_damage, load
from humobctl.training.settings import from_record

DAYS_BACK, DAYS_AHEAD = 75, 60
"""Range of the days between a row and the first one to predict; days further off count as these."""
GAPS = 28
"""Gaps of up to 24 slots one by one, then up to a day, two days, and more."""
IGNORE = -100
_SMALLEST = 1e-9


class BertMoeConfig(PreTrainedConfig):
    """The settings that the network is built from, and the cities it knows.

    Attributes:
        settings: as a dict.
        cities: names of the training cities; city 0 of the network is an unknown one.
        blend: weight of the history baseline beside this one, learnt on validation days.
    """

    model_type = "bert-moe"

    def __init__(
        self,
        settings: dict[str, Any] | None = None,
        cities: list[str] | None = None,
        blend: float | None = None,
        **others: Any,
    ) -> None:
        super().__init__(**others)
        self.type = "bert-moe"
        self.settings = settings or asdict(BertMoeSettings())
        self.cities = cities or []
        self.blend = blend


@dataclass
class Prediction(ModelOutput):
    """What the network says of the rows to predict.

    Attributes:
        loss: mean negative log-likelihood of the labels, with the load-balance term.
        states: encoded future rows, shape (B, P, H).
        copied: mass that the copy heads put on each past row, shape (B, P, L); sums to
            1 - generated.
        generated: mass that is left for the distribution over all visited cells, shape (B, P).
    """

    loss: Tensor | None = None
    states: Tensor | None = None
    copied: Tensor | None = None
    generated: Tensor | None = None


class EntryAttention(nn.Module):
    """Self-attention with a residual and a layer norm, before the encoder, as published."""

    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(hidden, 3 * hidden)
        self.dense = nn.Linear(hidden, hidden)
        self.norm = nn.LayerNorm(hidden)

    def forward(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        """Rows (B, S, H) to rows (B, S, H); ``mask`` (B, 1, 1, S) is added to the scores."""
        batch, length, hidden = rows.shape
        qkv = self.qkv(rows).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = qkv.unbind(0)
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        seen = seen.transpose(1, 2).reshape(batch, length, hidden)
        normed: Tensor = self.norm(self.dense(seen) + rows)
        return normed


class Embeddings(nn.Module):
    """The named features of a row as one vector, shape (B, S, D)."""

    def __init__(self, s: BertMoeSettings) -> None:
        super().__init__()
        self.day = nn.Embedding(DAYS_BACK + DAYS_AHEAD + 1, s.day_embedding_size)
        self.time = nn.Embedding(48, s.time_embedding_size)
        self.dow = nn.Embedding(7, s.dow_embedding_size)
        self.weekday = nn.Embedding(2, s.holiday_embedding_size)
        self.gap_before = nn.Embedding(GAPS, s.gap_embedding_size)
        self.gap_after = nn.Embedding(GAPS, s.gap_embedding_size)
        self.location = nn.Embedding(s.location_ids, s.location_embedding_size)
        parts = (self.day, self.time, self.dow, self.weekday, self.gap_before, self.gap_after)
        self.size = sum(part.embedding_dim for part in (*parts, self.location))
        self.norm = nn.LayerNorm(self.size)

    def forward(self, rows: dict[str, Tensor], location: Tensor) -> Tensor:
        """Embed S rows, of which the first L have a location (B, L)."""
        when = [
            self.day(rows["day"]),
            self.time(rows["time"]),
            self.dow(rows["dow"]),
            self.weekday(rows["weekday"]),
            self.gap_before(rows["gap_before"]),
            self.gap_after(rows["gap_after"]),
        ]
        ahead = rows["day"].shape[1] - location.shape[1]
        where = functional.pad(self.location(location), (0, 0, 0, ahead))
        normed: Tensor = self.norm(torch.cat([*when, where], dim=-1))
        return normed


class BertMoe(PreTrainedModel):
    """ST-MoE-BERT."""

    config_class = BertMoeConfig
    main_input_name = "location"
    _supports_sdpa = True
    accepts_loss_kwargs = True  # the loss is a mean over the rows of all processes and steps

    def __init__(self, config: BertMoeConfig) -> None:
        super().__init__(config)
        s = from_record(BertMoeSettings, config.settings)
        self.settings = s
        self.embeddings = Embeddings(s)
        self.city = nn.Embedding(len(config.cities) + 1, s.hidden_size)
        self.input_projection = nn.Linear(self.embeddings.size, s.hidden_size)
        self.dropout = nn.Dropout(s.dropout)
        self.entry = EntryAttention(s.hidden_size, s.attention_heads)
        self.bert = BertModel(_encoder_config(s), add_pooling_layer=False)
        # BERT's table of words is not used: rows come embedded.
        self.bert.get_input_embeddings().requires_grad_(False)
        has_experts = s.model_name == "MobilityBERTMoE"
        self.moe = MixtureOfExperts(s.hidden_size, s.experts, s.top_k) if has_experts else None
        self.output_projection = nn.Linear(s.hidden_size, s.location_ids)
        size = s.hidden_size + self.embeddings.size
        self.copy = CopyHeads(size, s.hidden_size, s.copy_heads, GAPS) if s.copy_heads else None
        self.register_buffer("visited", torch.ones(s.location_ids, dtype=torch.bool))
        self._cells: Tensor | None = None
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, MixtureOfExperts):
            nn.init.normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)
        if isinstance(module, Embeddings):
            for part in module.children():
                if isinstance(part, nn.Embedding):
                    nn.init.normal_(part.weight)
        if isinstance(module, BertMoe):
            nn.init.zeros_(module.city.weight)

    def restrict(self, cells: Tensor) -> None:
        """Set the visited cells that the softmax runs over, shape (V,)."""
        self.visited.zero_()
        self.visited[cells] = True
        self._cells = None

    def cells(self) -> Tensor:
        """The visited cells, ascending, shape (V,)."""
        if self._cells is None or self._cells.device != self.visited.device:
            self._cells = self.visited.nonzero().squeeze(1)
        return self._cells

    def head(self, cells: Tensor) -> tuple[Tensor, Tensor]:
        """Weights (V, H) and biases (V,) of the location head for some cells."""
        weight, bias = self.output_projection.weight, self.output_projection.bias
        if len(cells) == len(bias):
            return weight, bias
        return weight.index_select(0, cells), bias.index_select(0, cells)

    def mix_experts(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Rows (N, H) as the location head takes them, and the load-balance term."""
        return self.moe(states) if self.moe is not None else (states, states.new_zeros(()))

    def forward(
        self,
        location: Tensor,
        city: Tensor,
        shown: Tensor | None = None,
        mask: Tensor | None = None,
        labels: Tensor | None = None,
        num_items_in_batch: Tensor | int | None = None,
        **rows: Tensor,
    ) -> Prediction:
        """Encode windows; with labels, their loss.

        Args:
            location: cells of the past rows, 0 where there is none, shape (B, L). Past rows are
                aligned to the right, so that the last one stands before the first future row.
            shown: numbers of the past cells as the network sees them, shape (B, L); None for
                ``location``. Labels and copied cells keep their own.
            city: number of the city, 0 for an unknown one, shape (B,).
            mask: true for rows that are there, shape (B, S); None where all are.
            labels: cells of the future rows, -100 where there is none, shape (B, P).
            num_items_in_batch: labels of the whole step, over which the loss is a mean.
            rows: features ``day, time, dow, weekday, gap_before, gap_after``, each (B, S).
        """
        past = location.shape[1]
        embedded = self.embeddings(rows, location if shown is None else shown)
        states = self.dropout(self.input_projection(embedded) + self.city(city)[:, None, :])
        states = self._encode(states, mask, past)
        ahead = states if self.copy is None else states[:, past:]
        copied = generated = None
        if self.copy is not None:
            side_by_side = torch.cat([states, embedded.to(states.dtype)], dim=-1)
            seen = None if mask is None else mask[:, :past]
            copied, generated = self.copy(side_by_side, rows, past, seen)
        loss = None
        if labels is not None:
            loss = self._loss(ahead, copied, generated, location, labels, num_items_in_batch)
        return Prediction(loss=loss, states=ahead, copied=copied, generated=generated)

    def positions(self, past: int, rows: int) -> tuple[Tensor, Tensor]:
        """Positions of rows and which are future ones, shape (S,) each.

        The last past row always has position L - 1, however many there are.
        """
        first, device = self.settings.input_length - past, self.visited.device
        position = torch.arange(first, first + rows, device=device)
        return position, position >= self.settings.input_length

    def _encode(self, states: Tensor, mask: Tensor | None, past: int) -> Tensor:
        """Encoded rows (B, S, H), without copy heads those after ``past`` (B, P, H).

        Past rows go through the last layer only where copy heads look at them.
        """
        seen_by_all = None if mask is None else _additive(mask, states.dtype)
        states = self.entry(states, seen_by_all)
        position, future = self.positions(past, states.shape[1])
        embedded: Tensor = self.bert.embeddings(
            inputs_embeds=states,
            token_type_ids=future.long().expand(states.shape[:2]),
            position_ids=position.unsqueeze(0),
        )
        *layers, last = self.bert.encoder.layer
        for layer in layers:
            embedded = layer(embedded, seen_by_all)
        if self.copy is not None:
            whole: Tensor = last(embedded, seen_by_all)
            return whole
        return _future_rows(last, embedded, seen_by_all, past)

    def _loss(
        self,
        ahead: Tensor,
        copied: Tensor | None,
        generated: Tensor | None,
        location: Tensor,
        labels: Tensor,
        items: Tensor | int | None,
    ) -> Tensor:
        """Negative log-likelihood of the labels, a mean over ``items``, and the balance term."""
        asked = labels != IGNORE
        label = labels[asked]
        rows, balance = self.mix_experts(ahead[asked])
        log_p = -self._cross_entropy(rows, label)
        if copied is not None and generated is not None:
            same = location[:, None, :] == labels[:, :, None]
            hit = (copied * same).sum(dim=-1)[asked]
            p = hit + generated[asked] * log_p.exp()
            log_p = p.clamp_min(_SMALLEST).log()
        count = asked.sum().clamp_min(1) if items is None else items
        # A step's parts each add their share of the balance term.
        part = asked.sum() / count
        return -log_p.sum() / count + self.settings.load_balance * balance * part

    def _cross_entropy(self, rows: Tensor, label: Tensor) -> Tensor:
        """-log p(label) among the visited cells for each row, shape (N,)."""
        cells = self.cells()
        weight, bias = self.head(cells)
        if len(cells) < self.settings.location_ids:
            number = torch.searchsorted(cells, label).clamp_max(len(cells) - 1)
            missing = cells[number] != label
        else:
            number, missing = label, None
        logits = functional.linear(rows, weight, bias)
        loss = functional.cross_entropy(logits.float(), number, reduction="none")
        return loss if missing is None else loss.masked_fill(missing, float("inf"))


def _future_rows(layer: Any, rows: Tensor, mask: Tensor | None, past: int) -> Tensor:
    """What a layer of BERT makes of the rows after ``past``, shape (B, P, H)."""
    own, wanted = layer.attention.self, rows[:, past:]

    def heads(values: Tensor) -> Tensor:
        return values.view(*values.shape[:2], -1, own.attention_head_size).transpose(1, 2)

    parts = heads(own.query(wanted)), heads(own.key(rows)), heads(own.value(rows))
    seen = functional.scaled_dot_product_attention(*parts, attn_mask=mask)
    seen = layer.attention.output(seen.transpose(1, 2).flatten(-2), wanted)
    encoded: Tensor = layer.feed_forward_chunk(seen)
    return encoded


def _additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """What to add to attention scores, shape (B, 1, 1, S): 0 for rows to see, otherwise -inf.

    From a mask of booleans, SDPA would make this anew in every layer, for all pairs of rows.
    """
    unseen = torch.zeros(mask.shape, dtype=dtype, device=mask.device)
    return unseen.masked_fill_(~mask, float("-inf"))[:, None, None, :]


def _encoder_config(s: BertMoeSettings) -> BertConfig:
    """BertConfig of the encoder; without attention dropout, so that SDPA takes its fast path."""
    config = BertConfig(
        vocab_size=1,
        hidden_size=s.hidden_size,
        num_hidden_layers=s.hidden_layers,
        num_attention_heads=s.attention_heads,
        intermediate_size=s.feed_forward * s.hidden_size,
        hidden_dropout_prob=s.dropout,
        attention_probs_dropout_prob=0.0,
        max_position_embeddings=s.max_seq_length,
    )
    config._attn_implementation = "sdpa"
    return config


def load_network(folder: str) -> BertMoe:
    """The network of a model dir.

    Raises:
        HumobError: the dir is missing, damaged, or of another type.
    """
    found = load(folder, type=TYPE, arrays=False)
    refuse_outside(folder, found.config)
    if (Path(folder) / ADAPTER_CONFIG).exists():
        raise HumobError(f"{folder}: found {ADAPTER_CONFIG}, expected a model dir without adapters")
    try:
        with clear_damage(folder):
            settings = from_record(BertMoeSettings, found.config["settings"])
            check_layers(folder, settings.hidden_layers)
            network: BertMoe = BertMoe.from_pretrained(Path(folder))
    except (SafetensorError, OSError) as exc:
        reason = str(exc).splitlines()[0]
        raise HumobError(f"{folder}: found a damaged model ({reason})") from exc
    return network


def start_from(network: BertMoe, earlier: BertMoe) -> dict[str, Any]:
    """Copy into a network what fits of another; cities by their names.

    Returns:
        ``kept``: how many tensors were copied; ``new``: names of those that were not.
    """
    theirs, kept, new = dict(earlier.named_parameters()), 0, []
    with torch.no_grad():
        for name, tensor in network.named_parameters():
            if name == "city.weight":
                _copy_cities(network, earlier)
            elif name in theirs and theirs[name].shape == tensor.shape:
                tensor.copy_(theirs[name])
                kept += 1
            else:
                new.append(name)
    return {"kept": kept, "new": new}


def _copy_cities(network: BertMoe, earlier: BertMoe) -> None:
    """A city that the other network does not know starts as its unknown one."""
    if earlier.city.embedding_dim != network.city.embedding_dim:
        return
    numbers = {name: i for i, name in enumerate(earlier.config.cities, start=1)}
    for i, name in enumerate(["", *network.config.cities]):
        network.city.weight[i] = earlier.city.weight[numbers.get(name, 0)]
