"""The linter of words sees what it is for, and finds nothing in the app."""

import ast
from types import SimpleNamespace
from typing import Any

import pytest

from scripts import language


def test_helps_of_all_commands_are_in_plain_words() -> None:
    assert language.check_app() == []


def option(name: str = "--trees", **words: Any) -> SimpleNamespace:
    """An option as typer has it."""
    usual = {"required": False, "is_flag": False, "default": None, "help": "", "metavar": "N"}
    return SimpleNamespace(opts=[name], **{**usual, **words})


@pytest.mark.parametrize(
    "text",
    [
        "Of --engine ray, at most.",
        "The same for the others.",
        "Whose rows are scored.",
        "Which of them.",
        "It stops.",
        "number of trees.",
        "Number of trees",
        "",
        "Number of trees; else none.",
        "Number of trees for everybody.",
        "Decoder, or the history model.",
    ],
)
def test_a_help_in_other_words_is_found(text: str) -> None:
    assert len(language.check_help("plant --trees", text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "Number of trees.  [default: 3; at least 1]",
        "Number of trees. [tiny 1, small 2]",
        "Write the trees to this file; nothing else is written. Default: no file.",
    ],
)
def test_a_plain_help_passes(text: str) -> None:
    assert language.check_help("plant --trees", text) == []


def test_a_default_of_none_is_said() -> None:
    def check(text: str, **words: Any) -> int:
        return len(language.check_default("plant --trees", option(help=text, **words)))

    assert check("Number of trees.") == 1
    assert check("Number of trees. Default: all.") == 0
    assert check("Number of trees; needed with --grove.") == 0
    assert check("Number of trees. [tiny 1, small 2]") == 0
    assert check("Also write the trees to this file.") == 0
    assert check("Number of trees.", default=3) == check("Number of trees.", required=True) == 0
    assert check("Water them.", is_flag=True) == 0


def test_an_option_has_one_metavar_in_all_commands() -> None:
    def names(*metavars: str) -> list[str]:
        return [
            f.place for f in language.check_metavars((one, option(metavar=one)) for one in metavars)
        ]

    assert names("N", "N") == names("csv|npy", "csv|arrow") == []
    assert names("N", "TREES") == names("") == ["--trees"]


def test_a_help_names_an_argument_of_its_own_command() -> None:
    def names(text: str) -> list[str]:
        words = {"name": "table", "metavar": "INPUT", "help": "", "param_type_name": "argument"}
        table = ("plant", SimpleNamespace(**words))
        points = ("water", SimpleNamespace(**{**words, "name": "points", "metavar": "POINTS"}))
        by = {"name": "by", "metavar": "HOSE", "help": text, "param_type_name": "option"}
        found = language.check_arguments([table, points, ("plant", SimpleNamespace(**by))])
        return [one.place for one in found]

    assert names("Trees of INPUT, by HOSE.") == names("See db?table=TABLE.") == []
    assert names("Trees of TABLE.") == names("Trees of POINTS.") == ["plant by"]


def test_examples_of_a_command_stand_last() -> None:
    assert language.check_examples("plant", "Plant.\n\n\b\nExample: a\n\n\b\nExample: b") == []
    between = "Plant.\n\n\b\nExample: a\n\n--water waters.\n\n\b\nExample: b"
    assert [one.place for one in language.check_examples("plant", between)] == ["plant"]


@pytest.mark.parametrize(
    ("source", "faults"),
    [
        ('"""Of model dirs."""', 1),
        ('A = 1\n"""Of text that is sent."""', 1),
        ('def f():\n    """Whose it is."""', 1),
        ('def f():\n    """A cell nobody is in."""', 1),
        ('def f():\n    """Users by turns, told apart."""', 1),
        ('def f():\n    """The cells of a user; ``else`` is code."""', 0),
        ('def f():\n    """What is no table; there is no other."""', 1),
        ('x = "Of no docstring"', 0),
    ],
)
def test_docstrings(source: str, faults: int) -> None:
    assert len(language.check_docstrings("a.py", ast.parse(source))) == faults


def test_words_of_messages() -> None:
    source = """raise HumobError(f"{name}: found no JSON")
report.warn("--axes goes with --grid")
open("what goes with it")"""
    found = language.check_messages("a.py", ast.parse(source))
    assert [one.place for one in found] == ["a.py:1", "a.py:2"]


def test_code_on_a_page_is_left_alone() -> None:
    assert language.check_words("a.md", "```\necho everybody; else\n```\nAnd `or else`.") == []
    assert len(language.check_words("a.md", "Everybody's share of the users.")) == 2


def test_functions_have_names_of_verbs_or_of_things() -> None:
    names = ("built", "told_of", "_drawn", "fitted_law", "open_dir", "embed", "seed_of", "read")
    source = "".join(f"def {name}(): ...\n" for name in names)
    source += "class A:\n    def kept(self): ...\n    @property\n    def known(self): ..."
    found = language.participles("a.py", ast.parse(source))
    assert [one.place for one in found] == ["a.py:1", "a.py:2", "a.py:3", "a.py:10"]
