"""The completion scripts are those of the app, and completing works in the shells at hand."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from scripts.completions import SHELLS, completion
from tests.conftest import ROOT, Cli, environment

SCRIPTS = ROOT / "completions"


@pytest.mark.parametrize("shell", SHELLS)
def test_script_equals_the_apps(shell: str) -> None:
    written = (SCRIPTS / f"humobctl.{shell}").read_text()
    assert written == completion(shell), "completions/ is out of date: make completions"


def in_shell(name: str, *arguments: str) -> list[str]:
    shell = shutil.which(name)
    if shell is None:
        pytest.skip(f"{name} is not installed")
    done = subprocess.run(
        [shell, *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env=environment(),
        timeout=60,
    )
    return done.stdout.split()


def bash_completions(*words: str) -> list[str]:
    """What bash offers for the last of ``words``, the script being sourced."""
    quoted = " ".join(f"'{word}'" for word in ("humobctl", *words))
    return in_shell(
        "bash",
        "-c",
        f"source completions/humobctl.bash; COMP_WORDS=({quoted}); COMP_CWORD={len(words)}; "
        'complete -p humobctl >/dev/null && _humobctl_completion humobctl; echo "${COMPREPLY[@]}"',
    )


def test_bash_completes_a_command() -> None:
    assert bash_completions("da") == ["data"]


def test_bash_completes_a_subcommand() -> None:
    assert bash_completions("data", "s") == ["stays", "synth", "split"]


def test_bash_completes_an_option_and_its_choices() -> None:
    assert "--dialect" in bash_completions("eval", "--di")
    assert bash_completions("eval", "--dialect", "humob2") == ["humob24", "humob25"]


def test_fish_completes_a_command() -> None:
    script = "source completions/humobctl.fish; complete --do-complete 'humobctl da'"
    assert in_shell("fish", "-c", script)[0] == "data"


def test_zsh_completes_a_command() -> None:
    # zsh completes only on a terminal of its own, which its module zpty makes.
    script = r"""
        zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell 'PS1=; autoload -U compinit; compinit -u -D; source completions/humobctl.zsh'
        zpty -w shell 'echo re''ady'
        zpty -r shell line '*ready*'
        zpty -w -n shell $'humobctl da\t--he\t\n'
        zpty -r shell line '*Usage: humobctl data*'
        print -r -- $line
    """
    assert "Usage: humobctl data" in " ".join(in_shell("zsh", "-f", "-c", script))


def test_zsh_protocol(cli: Cli) -> None:
    offered = cli(env={"_HUMOBCTL_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "humobctl da"})
    assert offered.out.startswith('_arguments \'*: :(("data":')


def test_fish_protocol(cli: Cli) -> None:
    asked = {"_HUMOBCTL_COMPLETE": "complete_fish", "_TYPER_COMPLETE_ARGS": "humobctl da"}
    offered = cli(env={**asked, "_TYPER_COMPLETE_FISH_ACTION": "get-args"})
    assert offered.out.split()[0] == "data"
