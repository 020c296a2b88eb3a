"""How a help is laid out: under which heading an option stands, in plain text.

Typer's own headings need rich, whose import would double the time of ``--help``.
"""

from __future__ import annotations

import re
from typing import Any

FIRST = "Options"
HEADINGS = {
    "Input": (
        *(
            "axes",
            "calendar",
            "cell_km",
            "cells_to_points",
            "columns",
            "covariates",
            "decimal_comma",
        ),
        *("first_weekday", "keep_unmapped", "keep_zero", "mapping", "max_day", "on_error"),
        *("outside", "shift_days", "source_timezone", "start_date", "timezone", "uid_map"),
        *("accuracy", "box", "check_in_minutes", "compress", "crs", "layer", "max_speed"),
        "wrap_longitude",
    ),
    "Law of mobility": (
        *("alpha", "beta", "constraint", "deterrence", "exponent", "fit", "gamma", "mass"),
        *("max_radius", "min_minutes", "nights_away", "radius", "rho", "scale", "snap", "speed"),
    ),
    "Trips": ("activity_minutes", "modes", "tour_distance", "tour_hours", "trip_gap"),
    "Predicted cells and ranked candidates": (
        *("allow_partial", "as_seeds", "by", "dialect", "dtw"),
    ),
    "Generated data, day plans and flows": (
        *("flows", "generated", "min_events", "privacy", "within"),
    ),
    "Daily flows": (
        *("diagonal_scale", "off_diagonal_scale", "score_box", "shock_date"),
        *("flows_grid", "from_date", "to_date"),
    ),
    "Intervals and comparison of files": ("bootstrap", "confidence", "pairs"),
    "Next location": (
        *("history", "keep_unseen", "leave_last_out", "min_place_visits", "min_session"),
        *("min_user_visits", "rolling", "session", "session_hours", "targets"),
    ),
    "Model": (),
    "Training": (),
    "Language model": (
        *("adapter", "answer_tokens", "base_url", "candidates", "concurrency", "extra_body"),
        "quantization",
        *("journal", "max_cost", "max_tokens_total", "plans_per_template", "price_input"),
        *("price_output", "retries", "temperature", "template", "timeout"),
    ),
    "Output": (
        *(
            "detail",
            "distill",
            "distill_form",
            "full",
            "locations",
            "per_user",
            "plot",
            "report",
            "save_law",
        ),
        *("tours", "trip_legs", "users_per_block"),
    ),
    "Execution": (
        *("address", "batch_size", "checkpoint_minutes", "device", "engine", "overwrite"),
        *("precision", "resume", "seeds", "workers"),
    ),
}
"""Options by heading, in the order of the help; others, and required ones, come before them."""
MODEL = frozenset(
    (
        *("alpha", "attention_heads", "blocks", "condition", "copy_heads", "day_embedding_size"),
        *("decoder_units", "denoiser", "diffusion_steps", "dow_embedding_size", "dropout"),
        *("evidence", "experts", "feed_forward", "gap_embedding_size", "heads", "hidden_layers"),
        *("hidden_size", "horizon", "input_length", "layers", "letters", "location_embedding_size"),
        *("location_ids", "lstm_units", "max_seq_length", "model_name", "patch"),
        *("prediction_length", "quantization", "rank", "shown", "target_modules", "template"),
        *("time_embedding_size", "top_k", "holiday_embedding_size", "width"),
    )
)
"""Settings of what a model is; other settings are how it is trained."""
_OF_SCORES = (
    "Predicted cells and ranked candidates",
    "Generated data, day plans and flows",
    "Intervals and comparison of files",
)
"""Headings that name what ``eval`` scores: another command's option of that name is not of them."""
_BY_OPTION = {name: title for title, names in HEADINGS.items() for name in names}
_NUMBER = re.compile(r" Default: ([\d./]+)\.$")
"""A default that only some choices of a command have, at the end of the sentence on an option."""
_BOUNDS = (
    (re.compile(r"([-\d.]+)<=x<=([-\d.]+)"), r"\1 to \2"),
    (re.compile(r"x>=([-\d.]+)"), r"at least \1"),
    (re.compile(r"x<=([-\d.]+)"), r"at most \1"),
    (re.compile(r"(?<=default: )(\d+)\.0(?=[];])"), r"\1"),
)


def heading(name: str, *, is_setting: bool = False) -> str:
    """Where an option of that name stands, in the help of any command."""
    if is_setting:
        return "Model" if name in MODEL else "Training"
    return _BY_OPTION.get(name, FIRST)


def write_options(params: list[Any], context: Any, formatter: Any) -> None:
    """Write arguments and options, each list under its heading."""
    sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], FIRST: []}
    sections |= {title: [] for title in HEADINGS}
    for param in params:
        record = param.get_help_record(context)
        if record is None:
            continue
        name, text = record
        if param.param_type_name == "argument":
            sections["Arguments"].append((param.metavar, text))
            continue
        title = _section(param)
        mine = title not in _OF_SCORES or context.command.name == "eval"
        sections[title if mine else FIRST].append((name, _in_words(text)))
    for title, records in sections.items():
        if records:
            with formatter.section(title):
                formatter.write_dl(records)


def _section(param: Any) -> str:
    if param.required:
        return FIRST
    return param.rich_help_panel or heading(param.name)


def _in_words(text: str) -> str:
    """The sentence and, in its brackets, the default and bounds in words."""
    sentence, bracket, bounds = text.rpartition("  [")
    if not bracket:
        sentence, bounds = text, ""
    for pattern, words in _BOUNDS:
        bounds = pattern.sub(words, bounds)
    default = _NUMBER.search(sentence)
    if default is None:
        return sentence + bracket + bounds
    more = f"; {bounds}" if bounds else "]"
    return f"{sentence[: default.start()]}  [default: {default[1]}{more}"
