"""The picture of a training of any model: losses and scores by step. Needs the ``plot`` extra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from humobctl.console.words import pluralize
from humobctl.io.json_files import read_json_lines
from humobctl.plots.style import in_rows, open_picture, say_nothing, series
from humobctl.training.model_dir import METRICS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FEW = 50
"""Points below which each has a marker."""
_ASIDE = ("step", "epoch", "member", "learning_rate", "grad_norm")
"""What a record has beside losses and scores."""
_VALIDATION = ("eval_", "validation_")
_TITLES = {
    "jsd": "mean JSD of people not trained on",
    "jump_distance": "JSD of jump distances",
    "radius": "JSD of radii",
    "duration": "JSD of durations",
    "start": "JSD of starts",
    "geobleu": "GEO-BLEU",
    "dtw": "DTW in km",
    "inside": "loss: inside the span",
    "following": "loss: following the span",
    "contrast": "loss: contrast",
    "top1": "share of spans found (top 1)",
}
_Curves = dict[str, dict[str, list[tuple[int, float]]]]
"""Title of a panel -> name of a curve -> steps and values."""


def write_plot(model: str, path: str, *, source: str, title: str | None = None) -> None:
    """Draw the training of a model dir.

    Args:
        model: the dir.
        path: of the picture, as ``check_plot`` allows it.
        source: what trained it.
        title: stands above the picture instead of the dir's name.

    Raises:
        HumobError: the log cannot be read, or the file not be written.
    """
    records = read_json_lines(Path(model) / METRICS)
    evaluations = sum(any(map(_is_validation, one)) for one in records)
    counts = f"{pluralize(max((one['step'] for one in records), default=0), 'step')}, "
    counts += pluralize(evaluations, "evaluation")
    curves = curves_of(records)
    heading = title or Path(model).name
    with open_picture(path, in_rows(list(curves)), title=heading, counts=counts, source=source) as (
        _,
        panels,
    ):
        for name, lines in curves.items():
            _draw(panels[name], name, lines)


def curves_of(records: Sequence[Mapping[str, Any]]) -> _Curves:
    """What records of a training say: a panel for each loss or score, validation beside training.

    A run of several members has a curve for each.
    """
    curves: _Curves = {"loss": {}}
    several = any(one.get("member") for one in records)
    for record in records:
        for name, value in record.items():
            if name in _ASIDE or not isinstance(value, int | float):
                continue
            plain = name
            for prefix in _VALIDATION:
                plain = plain.removeprefix(prefix)
            member = f"member {record['member'] + 1}" if several else "training"
            label = member if plain == name else "validation"
            panel = curves.setdefault(_TITLES.get(plain, plain.replace("_", " ")), {})
            panel.setdefault(label, []).append((record["step"], value))
    return curves


def _is_validation(name: str) -> bool:
    return name == "jsd" or name.startswith(_VALIDATION)


def _draw(panel: Axes, title: str, lines: Mapping[str, list[tuple[int, float]]]) -> None:
    if not lines:
        say_nothing(panel, title, "not logged")
        return
    for index, (label, points) in enumerate(lines.items()):
        look = series(index)
        # A single evaluation is a point: a line alone would not show it.
        if len(points) >= _FEW:
            look["marker"] = ""
        panel.plot(*zip(*points, strict=True), label=label, **look)
    if len(lines) > 1:
        panel.legend()
    panel.set(xlabel="step", title=title)
    steps = {step for points in lines.values() for step, _ in points}
    if len(steps) == 1:
        panel.set_xticks(list(steps))
    else:
        panel.locator_params(axis="x", integer=True)
