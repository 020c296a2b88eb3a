"""A city's double: other people in the same city."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from humobctl.api.options import Between, OnError, OutputFormat, Seed, Weekday, weekday_number
from humobctl.api.signatures import public
from humobctl.api.tables import PathName, Source, as_path, paths_of, summary, write_to_frame
from humobctl.errors import UsageError

if TYPE_CHECKING:
    import polars as pl


@public()
def twin(
    table: Source,
    *,
    users: Annotated[int, Between(1, 10_000_000)] | None = None,
    seed: Seed = 0,
    shift: bool = False,
    shared: Annotated[int, Between(2, 1_000_000)] | None = None,
    epsilon: Annotated[float, Between(0.01)] | None = None,
    first_weekday: Weekday = "sunday",
    output: PathName | None = None,
    format: OutputFormat | None = None,
    on_error: OnError = "fail",
) -> pl.DataFrame:
    """Make a city's double: other people who move as its users do.

    Fits tables on the users of a grid trajectory: where homes, works and visited cells are, how
    people choose the next cell, when they have records; and draws new people from these tables.

    Args:
        table: grid trajectory of at least 20 users, or visits as 'data stays' writes them.
        users: number of people to make. Default: as many as the table has users.
        shift: turn or mirror the map, which keeps all distances.
        shared: number of users whom each density of homes and cells is averaged over: more hide
            better who was fitted, and blur where people are. Default: 20.
        epsilon: differential privacy of the tables at this epsilon and a delta of 1e-5; habits
            are then those of 'data synth'. Default: none.

    Returns:
        A table like the one given; with ``output`` one row that says how many rows went there.

    Raises:
        HumobError: the table cannot be read, or has too few users.
        UsageError: ``shared`` with ``epsilon``, whose densities have noise instead.

    Example:
        >>> city = hm.synth(users=30, days=7)
        >>> double = hm.twin(city, users=3, seed=1)
        >>> double["uid"].unique().to_list()
        [0, 1, 2]
    """
    from humobctl.data.twin.run import TwinSettings, write_twin
    from humobctl.data.twin.space import SHARED

    if shared is not None and epsilon is not None:
        raise UsageError("--shared cannot be combined with --epsilon")
    target = as_path(output)
    weekday = weekday_number(first_weekday)
    settings = TwinSettings(users, seed, shift, epsilon, weekday, shared or SHARED)
    with paths_of(table) as (path,):
        frame, rows = write_to_frame(
            target,
            format,
            lambda place: write_twin(path, place, settings, format=format, on_error=on_error),
        )
    return frame if target is None else summary(target, rows=rows)
