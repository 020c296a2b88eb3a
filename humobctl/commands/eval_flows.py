"""``humobctl eval`` of flow tables: what it does when its first file is one."""

from __future__ import annotations

import io
from typing import Literal

OnError = Literal["fail", "drop"]


def score_flows(
    paths: list[str],
    truth: str | None,
    metric: list[str] | None,
    kind: str,
    output: str | None,
    *,
    within: bool,
    on_error: OnError,
) -> str | None:
    """Score flow tables; writes a table of scores, or returns text for the caller to write."""
    from humobctl.errors import UsageError
    from humobctl.evaluate.flows import report as present
    from humobctl.evaluate.flows.run import FLOW_NAMES, evaluate_flows
    from humobctl.io.write import write_table

    if truth is None:
        raise UsageError("--truth: expected the true flows to score flows with")
    unknown = [name for name in metric or () if name not in FLOW_NAMES]
    if unknown:
        raise UsageError(
            f"--metric: found {unknown[0]!r}, expected one of {', '.join(FLOW_NAMES)} for flows"
        )
    names = tuple(metric) if metric else FLOW_NAMES
    found = evaluate_flows(paths, truth, names=names, within=within, on_error=on_error)
    if kind == "json":
        return present.as_json(found)
    if kind != "table":
        write_table(present.as_table(found), output, table=None, format=kind)
        return None
    if output in (None, "-"):
        present.show(found)
        return None
    buffer = io.StringIO()
    present.show(found, buffer)
    return buffer.getvalue()
