"""Networks of model dirs, built only once it is known that the arrays fill them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

from humobctl.errors import HumobError
from humobctl.training.model_dir import check_layers

Network = TypeVar("Network", bound=nn.Module)


def built(folder: str, layers: int, make: Callable[[], Network], prefix: str = "") -> Network:
    """The network that settings describe, before its arrays are put in.

    It is made without memory first: settings that were changed by hand or by damage could ask for
    more than a machine has.

    Args:
        folder: the model dir.
        layers: of the settings.
        make: makes the network.
        prefix: of the names of its arrays.

    Raises:
        HumobError: the settings are not those of the arrays.
    """
    shapes = check_layers(folder, layers)
    with torch.device("meta"):
        wanted = {f"{prefix}{name}": tuple(a.shape) for name, a in make().state_dict().items()}
    for name, shape in wanted.items():
        if shapes.get(name) != shape:
            raise HumobError(
                f"{folder}: found a damaged model (array {name}: found {shapes.get(name)}, "
                f"expected {shape} by config.json)"
            )
    return make()
