"""Options made from functions: what typer is given, and what a command gets of a command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
import typer
from typer.main import get_command

from humobctl.api.options import Between, Count
from humobctl.api.signatures import public
from humobctl.api.tables import PathName, Source
from humobctl.cli import StrictCommand
from humobctl.commands.options import options_from


@public()
def plant(
    table: Source,
    *,
    kind: Literal["oak", "elm"] = "oak",
    trees: Count | None = None,
    names: Sequence[str] = (),
    height: Annotated[float, Between(0.5, 90)] = 2.5,
    age: Annotated[float, Between(0)] | None = None,
    as_: str | None = None,
    settings: PathName | None = None,
    output: PathName | None = None,
    water: bool = False,
    **options: Any,
) -> None:
    """Plant trees.

    Args:
        table: ground.
        kind: kind of tree, as ``train_ranker`` knows it, on ``table``.
        trees: number of trees, with ``kind``.
        names: name of a tree.
        height: height in m.
        age: age in years (elm). Default: 1/3.
        as_: label.
        settings: file.
        water: water them.
    """


@dataclass(frozen=True)
class Soil:
    """Settings.

    Attributes:
        depth: depth in m.
        sandy: whether it has ``depth``.
    """

    depth: float = 0.5
    sandy: bool = True


Got = list[dict[str, Any]]


def planting(got: Got, **words: Any) -> Any:
    """The command, which keeps what it gets."""

    @options_from(plant, presets={"tiny": Soil, "deep": lambda: Soil(depth=9)}, **words)
    def command(dry: Annotated[bool, typer.Option("--dry")] = False, **options: Any) -> None:
        got.append({"dry": dry, **options})

    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(cls=StrictCommand)(command)
    return get_command(app)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", {"table": "-", "output": "-"}),
        (
            "a.csv -o b.csv --kind elm -n 3 --names x --names y --as z --water --dry",
            {
                **{"table": "a.csv", "output": "b.csv", "kind": "elm", "trees": 3},
                **{"names": ["x", "y"], "as_": "z", "water": True, "dry": True},
            },
        ),
        ("--depth 2 --no-sandy", {"table": "-", "output": "-", "depth": 2.0, "sandy": False}),
    ],
)
def test_a_command_gets_what_was_given(line: str, expected: dict[str, Any]) -> None:
    got: Got = []
    planting(got, names={"trees": "-n"})(line.split(), standalone_mode=False)
    defaults = {"dry": False, "kind": "oak", "height": 2.5, "water": False}
    assert got == [{**defaults, **expected}]


@pytest.mark.parametrize("line", ["-n 0", "--height 91", "--kind fir", "--trees"])
def test_wrong_values_are_refused(line: str) -> None:
    with pytest.raises(SystemExit) as caught:
        planting([], names={"trees": "-n"})(line.split())
    assert caught.value.code == 2


def test_help_has_the_sentences_of_the_docstring(capsys: pytest.CaptureFixture[str]) -> None:
    command = planting([], before="water", required=("settings",))
    command(["--help"], standalone_mode=False, terminal_width=100)
    words = " ".join(capsys.readouterr().out.split())
    for said in (
        "INPUT Ground. A file, a folder of Parquet files, or - for standard input",
        "--kind oak|elm Kind of tree, as 'train ranker' knows it, on INPUT. [default: oak]",
        "--trees N Number of trees, with --kind. [at least 1]",
        "--height FLOAT Height in m. [default: 2.5; 0.5 to 90]",
        "--age FLOAT Age in years (elm). [default: 1/3; at least 0]",
        "--as TEXT Label.",
        "--settings FILE File. [required]",
        "Training: --depth FLOAT Depth in m. [tiny 0.5, deep 9]",
        "--sandy / --no-sandy Whether it has --depth. [default: on]",
        "--dry --water Water them.",
    ):
        assert said in words
