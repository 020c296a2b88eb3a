"""``humobctl finetune llama``: a LoRA adapter for a language model."""

from __future__ import annotations

from typing import Any

import humobctl as hm
from humobctl.commands.options import options_from
from humobctl.commands.seeds import TrainingSeeds, for_each_seed
from humobctl.predict.llama.config import PRESETS


@options_from(
    hm.finetune_llama,
    presets=PRESETS,
    names={
        "base": "-b",
        "learning_rate": "--lr",
        "max_length": "--cutoff-len",
        "rank": "--lora-rank",
        "alpha": "--lora-alpha",
        "dropout": "--lora-dropout",
    },
)
def llama(seeds: TrainingSeeds = None, **options: Any) -> None:
    """Fine-tune a language model with LoRA, to predict or to plan.

    Mobility records ask for the cells of some days, given the days before; intention records
    (--task intention) come from 'intend --distill'. The last 15 days of each file are excluded, and
    some users are used for validation only. The loss is on the answers alone. 'predict --model DIR'
    uses the adapter; 'finetune merge' adds it to the model. Several processes train together
    under torchrun. An unfinished training is kept in OUTPUT.training; --resume continues it.

    Example: humobctl finetune llama challenge.csv --base tinyllama --preset tiny --output adapter

    Example: humobctl finetune llama records.jsonl --task intention --base tinyllama --dry-run
    """
    for_each_seed(hm.finetune_llama, options, seeds, of_files=False)
