"""Networks from model dirs: to go on training, and to predict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from humobctl.errors import HumobError, UsageError
from humobctl.llm.model_files import refuse_outside
from humobctl.predict.base import PredictOptions
from humobctl.predict.bert_moe.config import TYPE, from_record
from humobctl.predict.bert_moe.model import BertMoe, BertMoeConfig
from humobctl.predict.bert_moe.predict import BertMoePredictor
from humobctl.predict.city_profile import CityProfile
from humobctl.training.device import check_precision, set_up, torch_device
from humobctl.training.model_dir import (
    ADAPTER_CONFIG,
    Checkpoint,
    check_layers,
    clear_damage,
    load,
)


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
            check_layers(folder, from_record(found.config["settings"]).hidden_layers)
            network: BertMoe = BertMoe.from_pretrained(Path(folder))
    except (SafetensorError, OSError) as exc:
        reason = str(exc).splitlines()[0]
        raise HumobError(f"{folder}: found a damaged model ({reason})") from exc
    return network


def started_from(network: BertMoe, earlier: BertMoe) -> dict[str, Any]:
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


def from_checkpoint(
    checkpoint: Checkpoint, city: CityProfile, folder: str, options: PredictOptions
) -> BertMoePredictor:
    """A predictor from a model dir.

    Raises:
        UsageError: a city that the model was not trained on, or no such device.
    """
    set_up(options.seed)
    network = load_network(folder)
    config: BertMoeConfig = network.config
    names = config.cities
    if options.city is not None and options.city not in names:
        raise UsageError(f"--city: found {options.city!r}, expected one of {', '.join(names)}")
    name = options.city if options.city is not None else names[0] if len(names) == 1 else None
    number = 0 if name is None else names.index(name) + 1
    device = torch_device(options.device)
    check_precision(options.precision, device)
    return BertMoePredictor(
        network, city, city_number=number, device=str(device), precision=options.precision
    )
