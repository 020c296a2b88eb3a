"""What ``humobctl predict`` does instead of predicting: the models, and why a cell is chosen."""

from __future__ import annotations

import sys
from typing import Any


def list_models() -> None:
    """Print the models and what they do."""
    from humobctl.console import report
    from humobctl.io.write import write_stdout_text
    from humobctl.predict.registry import MODELS

    if sys.stdout.isatty():
        rows = [(entry.name, entry.summary) for entry in MODELS.values()]
        report.table("models of predict", ("name", "what it does"), rows, stream=sys.stdout)
    else:
        lines = [f"{entry.name}\t{entry.summary}\n" for entry in MODELS.values()]
        write_stdout_text("".join(lines))


def explain(uid: int, options: dict[str, Any]) -> None:
    """Write why each cell of a user would be chosen; on a terminal, as a table for people."""
    import humobctl as hm
    from humobctl.console import report
    from humobctl.predict.explain import COLUMNS, LEGEND

    for_all = ("full", "engine", "address", "workers", "resume", "overwrite")
    asked = {name: value for name, value in options.items() if name not in for_all}
    if asked["output"] != "-" or "format" in asked or not sys.stdout.isatty():
        hm.explain(uid=uid, **asked)
        return
    reasons = hm.explain(uid=uid, **{**asked, "output": None})
    rows = [
        ["" if v is None else f"{v:.2f}" if isinstance(v, float) else str(v) for v in row]
        for row in reasons.iter_rows()
    ]
    headings = list(COLUMNS.values())
    report.table(f"user {uid}", headings, rows, stream=sys.stdout, caption=LEGEND)
