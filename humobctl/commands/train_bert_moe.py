"""``humobctl train bert-moe``: ST-MoE-BERT, from scratch or from a trained model."""

from __future__ import annotations

from typing import Any

import humobctl as hm
from humobctl.commands.options import options_from
from humobctl.commands.seeds import TrainingSeeds, for_each_seed
from humobctl.predict.bert_moe.config import PRESETS


@options_from(
    hm.train_bert_moe,
    presets=PRESETS,
    names={
        "learning_rate": "--lr",
        "dow_embedding_size": "--day-of-week-embedding-size",
        "stride": "--look-back-len",
        "epochs": "--num-epochs",
        "location_learning_rate": "--location-embedding-lr",
    },
)
def bert_moe(seeds: TrainingSeeds = None, **options: Any) -> None:
    """Train ST-MoE-BERT, a BERT encoder with a mixture of experts.

    The model (arXiv 2410.14099) learns to fill masked cells from windows of past and future
    records. Several files train on several cities; the last 15 days of each are excluded, and some
    users are used for validation only. Several processes train together under torchrun. An
    unfinished training is kept in OUTPUT.training; --resume continues it.

    To fine-tune a trained model on another city: humobctl train bert-moe cityC.csv --init-from
    bert_B --output bert_C.

    Example: humobctl train bert-moe challenge.csv --preset tiny --output bert

    Example: humobctl train bert-moe challenge.csv --preset tiny --dry-run
    """
    for_each_seed(hm.train_bert_moe, options, seeds, of_files=False)
