"""``humobctl generate diffusion``: visits drawn from a trained model."""

from __future__ import annotations

from typing import Any

import humobctl as hm
from humobctl.commands.options import options_from


@options_from(hm.generate_diffusion)
def diffusion(**options: Any) -> None:
    """Generate visits with a model of 'train diffusion'.

    Reads intentions (as 'intend' writes them, each person's rows together) and keeps their times; a
    model without a condition takes --count instead, and generates the times, too. A model
    conditioned on categories needs the column category beside the intents, and chooses places of
    that category. Writes visits (uid, d, seq, intent, start_min, end_min, place_id, lat, lon).

    A person has one home and one work location on all days: those of --people, a pair of
    --home-work, or the locations that the model draws on the person's first day with work. A
    visit depends only on the seed, the person and their days.

    Example: humobctl train diffusion stays.csv --preset tiny -o m && humobctl generate diffusion plans.csv -m m

    Example: humobctl train diffusion stays.csv --preset tiny --condition none -o m && humobctl generate diffusion -m m --count 50 | head -3
    """  # noqa: E501 - an example is one line
    if "count" not in options:
        options.setdefault("intentions", "-")
    hm.generate_diffusion(**options)
