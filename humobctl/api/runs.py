"""Runs: what made outputs and models, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING

from humobctl.api.signatures import public
from humobctl.api.tables import PathName, as_path

if TYPE_CHECKING:
    import polars as pl


@public()
def runs(paths: PathName | Sequence[PathName]) -> pl.DataFrame:
    """Compare runs by their records: ``run.json`` of model dirs, ``*.run.json`` beside outputs.

    Args:
        paths: outputs, model dirs, or folders of such.

    Returns:
        A row a run: run, command, model, seed, output (as written, changed since, or missing), a
        column for each option, setting, input digest or version in which runs of a command differ,
        and scores: those of a model's training, and of score tables (CSV) beside an output.

    Raises:
        HumobError: a place has no record, or a record is damaged.

    Example:
        >>> for seed in (0, 1):
        ...     _ = hm.predict("challenge.csv", seed=seed, output=f"p{seed}.csv")
        >>> hm.runs(["p0.csv", "p1.csv"])["seed"].to_list()
        [0, 1]
    """
    from humobctl.io.run_table import compare_runs

    several = [paths] if isinstance(paths, str | PathLike) else paths
    return compare_runs([str(as_path(one)) for one in several])
