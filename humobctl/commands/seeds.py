"""``--seeds``: the same command once for each of several seeds, each with an output of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from humobctl.errors import HumobError, UsageError

_LIMITS: Any = {"min": 1, "max": 1000, "metavar": "N"}
Seeds = Annotated[
    int | None,
    typer.Option(
        **_LIMITS,
        help="Number of seeds to predict with, from --seed on, each to a file of its own: "
        "predicted.seed-0.csv, predicted.seed-1.csv, ... for --output predicted.csv. "
        "'eval --as-seeds' scores them together. Default: one, to the output.",
    ),
]
TrainingSeeds = Annotated[
    int | None,
    typer.Option(
        **_LIMITS,
        help="Number of seeds to train with, from --seed on, each to a model dir of its own in "
        "the output: seed-0, seed-1, ... Default: one model, to the output.",
    ),
]


def for_each_seed(
    function: Callable[..., Any], options: dict[str, Any], seeds: int | None, *, of_files: bool
) -> None:
    """Call a function of the library once, or for each of several seeds.

    Args:
        function: takes ``seed`` and ``output``.
        options: of each call.
        seeds: number of seeds; None for one call with the options as they are.
        of_files: whether the output is a file, not a folder that gets model dirs.

    Raises:
        UsageError: the options read or write one stream, or cannot do with several seeds.
        HumobError: a folder for model dirs is something else.
    """
    if seeds is None or options.get("dry_run"):
        function(**options)
        return
    _refuse_streams(options)
    folder = Path(options["output"])
    if not of_files:
        _make_folder(folder)
    for seed in _seeds(options, seeds):
        asked = {**options, "seed": seed}
        asked["output"] = (
            add_seed(options["output"], seed) if of_files else str(folder / f"seed-{seed}")
        )
        for name in ("plot", "probabilities"):
            if options.get(name) is not None:
                asked[name] = add_seed(options[name], seed)
        if not of_files and options.get("resume") and _is_trained(asked["output"]):
            continue
        function(**asked)


def add_seed(path: str, seed: int) -> str:
    """A file's name with a seed before its endings: ``a.seed-3.csv.gz`` for ``a.csv.gz``."""
    place = Path(path)
    ending = place.suffix
    if ending in (".gz", ".zst"):
        ending = place.with_suffix("").suffix + ending
    stem = place.name.removesuffix(ending)
    slash = "/" if path.endswith("/") else ""
    return f"{place.with_name(f'{stem}.seed-{seed}{ending}')}{slash}"


def _seeds(options: dict[str, Any], seeds: int) -> Iterator[int]:
    first = options.get("seed") or 0
    return iter(range(first, first + seeds))


def _refuse_streams(options: dict[str, Any]) -> None:
    from humobctl.io.streams import is_special

    if options.get("output") is None:
        raise UsageError("--seeds: expected --output, of which each seed gets its own")
    if options["output"] == "-" or is_special(Path(options["output"])):
        raise UsageError(
            f"--seeds: found {options['output']!r} for --output, expected the name of a file or "
            "folder, of which each seed gets its own"
        )
    given = [one if isinstance(one, list) else [one] for one in options.values()]
    if any("-" in several for several in given):
        raise UsageError(
            "--seeds: found standard input (-), which can be read only once, expected a file"
        )


def _make_folder(folder: Path) -> None:
    from humobctl.io.streams import clear_os_errors
    from humobctl.training.model_dir import RUN

    if (folder / RUN).exists():
        raise HumobError(f"{folder}: found a model dir, expected a new folder for --seeds")
    with clear_os_errors(str(folder)):
        folder.mkdir(exist_ok=True)


def _is_trained(output: str) -> bool:
    from humobctl.console import report
    from humobctl.training.model_dir import RUN

    if not (Path(output) / RUN).exists():
        return False
    report.info(f"{output}: left as it is, as its training has ended")
    return True
