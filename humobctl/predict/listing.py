"""All models of ``predict``, with what they fill, when to take which and what it costs."""

from __future__ import annotations

from typing import NamedTuple

from humobctl.predict.flow_series.registry import FLOW_MODELS
from humobctl.predict.next.registry import BASELINES
from humobctl.predict.registry import MODELS


class ListedModel(NamedTuple):
    """A line of the list.

    Attributes:
        name: for ``--model``; DIR is the model dir of a training.
        fills: masked cells, hidden days of flows, or next places (--task next).
        summary: what it does.
        when: when to take it.
        cost: what it costs on a CPU, without the decoder.
    """

    name: str
    fills: str
    summary: str
    when: str
    cost: str


CELLS, FLOWS, NEXT = "masked cells", "hidden days of flows", "next places"
COLUMNS = ("model", "fills", "what it does", "take it for", "cost")
_NOW = "no training; milliseconds per user"
_WHEN = {"history": "a strong result now, without training"}
_WHEN_HIDDEN = {"ensemble": "the default of flow series", "state-space": "covariates, too"}
_TRAINED = (
    ListedModel(
        "DIR of train ranker",
        CELLS,
        "a small network ranks the user's past cells; it serves other cities, too",
        "the best scores here",
        "a minute of training for 100 users; milliseconds per user",
    ),
    ListedModel(
        "DIR of train bert-moe",
        CELLS,
        "a BERT encoder with a mixture of experts (ST-MoE-BERT)",
        "the architecture itself, or many cities and a GPU",
        "minutes to hours of training; 0.2 s per user; extra torch",
    ),
    ListedModel(
        "DIR of finetune llama, or of a language model",
        CELLS,
        "a language model, asked for the cells (Llama-3-8B-Mob and others)",
        "weights of such a model, or research on them",
        "half an hour of training or none; seconds per user; extra llm",
    ),
)
_NEXT = {
    "most-frequent": ("the user's places by their number of records", "a baseline for a paper"),
    "markov": ("the place after the last one; backs off to most-frequent", "a result now"),
    "markov-2": ("the place after the last two; backs off to markov", "a baseline for a paper"),
}
_TRAINED_NEXT = (
    ListedModel(
        "DIR of train next",
        NEXT,
        "a small network ranks places by visits, hours, transitions and distances",
        "the best scores here; it serves other users and cities, too",
        "minutes of training; milliseconds per record",
    ),
    ListedModel(
        "DIR of train next-gru",
        NEXT,
        "a GRU over the last records beside the ranker's features",
        "a sequence network to compare with",
        "minutes of training; milliseconds per record; extra torch",
    ),
)


def list_models() -> list[ListedModel]:
    """The models of masked cells and of hidden days of flows, then those of next places."""
    masked = [
        ListedModel(
            entry.name, CELLS, entry.summary, _WHEN.get(name, "a baseline for a paper"), _NOW
        )
        for name, entry in MODELS.items()
    ]
    hidden = [
        ListedModel(
            name,
            FLOWS,
            entry.summary,
            _WHEN_HIDDEN.get(name, "a baseline for a paper"),
            "no training; seconds to minutes for all hidden days",
        )
        for name, entry in FLOW_MODELS.items()
    ]
    following = [ListedModel(name, NEXT, *_NEXT[name], _NOW) for name in BASELINES]
    return [*masked, *_TRAINED, *hidden, *following, *_TRAINED_NEXT]
