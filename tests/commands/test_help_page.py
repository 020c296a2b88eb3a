"""Where options stand in helps, and what a help says of options that several functions share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import click
import pytest

from humobctl.api.signatures import options_of
from humobctl.cli import build_app
from humobctl.commands.eval_command import FAMILIES
from humobctl.commands.help_page import HEADINGS, write_options
from tests.messages import says


def command_of(*words: str) -> click.Command:
    """The command as it is called by these words."""
    found = build_app()
    for word in words:
        found = found.commands[word]
        found = getattr(found, "loaded", found)
    return found


def sections(*words: str) -> Iterator[tuple[str, str]]:
    """Heading and name of each option of a help, in its order."""
    command = command_of(*words)
    context = click.Context(command, info_name=words[-1])
    formatter = click.HelpFormatter(width=200)
    write_options(command.get_params(context), context, formatter)
    title = ""
    for line in formatter.getvalue().splitlines():
        if line.endswith(":") and not line.startswith(" "):
            title = line[:-1]
        elif line.startswith("  -"):
            yield title, next(word for word in line.split() if word.startswith("--"))


@pytest.mark.parametrize(
    ("words", "option", "title"),
    [
        (("eval",), "--by", "Predicted cells and ranked candidates"),
        (("eval",), "--bootstrap", "Intervals and comparison of files"),
        (("eval",), "--flows", "Generated data, day plans and flows"),
        (("data", "split"), "--by", "Options"),
        (("data", "synth"), "--flows", "Options"),
    ],
)
def test_headings_of_scores_are_for_scores(words: tuple[str, ...], option: str, title: str) -> None:
    found = {name.rstrip(","): heading for heading, name in sections(*words)}
    assert found[option] == title
    assert [*dict.fromkeys(heading for heading, _ in sections(*words))][1:] == [
        one for one in HEADINGS if one in found.values()
    ]


def test_a_help_of_several_families_is_not_that_of_one() -> None:
    texts: defaultdict[str, set[str]] = defaultdict(set)
    for function in FAMILIES.values():
        for option in options_of(function):
            texts[option.name].add(option.text)
    helps = {param.name: param.help.lower() for param in command_of("eval").params}
    fits_all = {"as_seeds", "cell_km"}
    for name in {name for name, several in texts.items() if len(several) > 1} - fits_all:
        assert not any(text.lower() in helps[name] for text in texts[name]), name
    says(helps["bootstrap"], "users", "predicted cells", "days", "daily flows")
