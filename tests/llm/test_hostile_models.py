"""Models of others, through every command that loads one: nothing is asked, nothing is run."""

from __future__ import annotations

import functools
import shutil
import socket
import struct
import time
from pathlib import Path

import pytest

pytest.importorskip("peft")

from tests.conftest import Cli, Run
from tests.llm.hostile import (
    ADAPTERS,
    CODE,
    HARMLESS,
    MODELS,
    RAN,
    TEMPLATES,
    copy_of,
    odd_outputs,
)
from tests.messages import fails

YES = "y\n" * 50
"""On standard input, for whoever asks."""
PEOPLE = "uid,education,gender,consumption,occupation\n1,a,b,c,d\n"
HISTORY = "uid,d,t,x,y\n" + "".join(
    f"1,{d},{t},{x},9\n" for d in range(20) for t, x in ((4, 9), (20, 20 + d % 2))
)
OFFLINE = {"HF_HUB_OFFLINE": "1"}
COMMANDS = {
    "predict": ("predict", "challenge.csv", "--model", "model", "--decode", "argmax"),
    "published": (
        *("predict", "challenge.csv", "--model", "model", "--template", "llama3-8b-mob"),
        *("--decode", "argmax"),
    ),
    "finetune": (
        *("finetune", "llama", "history.csv", "--base", "model", "--preset", "tiny"),
        *("--hold-out", "2", "--horizon", "2", "--max-steps", "1", "--output", "made"),
    ),
    "merge": ("finetune", "merge", "trained", "--base", "model", "--output", "made"),
    "adapted": ("predict", "challenge.csv", "-m", "trained", "--base", "model", "-o", "x.csv"),
    "intend": (
        *("intend", "people.csv", "--backend", "hf", "--model", "model", "--device", "cpu"),
        *("--without", "attitude", "--without", "norm", "--answer-tokens", "64", "-o", "p.csv"),
    ),
}


@pytest.fixture
def cli(warm_cli: Cli) -> Cli:
    """Every command runs with somebody who says yes, and without a hub."""
    return functools.partial(warm_cli, input=YES, env=OFFLINE)


@pytest.fixture
def here(tiny_llama: Path, tmp_path: Path) -> Path:
    """A folder with an adapter, people, and a city of one."""
    (tmp_path / "trained").symlink_to(tiny_llama / "trained")
    (tmp_path / "people.csv").write_text(PEOPLE)
    (tmp_path / "history.csv").write_text(HISTORY)
    (tmp_path / "challenge.csv").write_text(HISTORY + "1,20,4,999,999\n1,20,20,999,999\n")
    return tmp_path


def assert_untouched(folder: Path, done: Run) -> None:
    """Nothing of the model was run, nobody was asked, nothing is half written."""
    assert not list(folder.rglob(RAN))
    assert "[y/N]" not in done.out + done.err
    assert "internal" not in done.err
    assert not (folder / "made").exists() or done.code == 0


@pytest.mark.parametrize("name", CODE)
def test_code_of_a_model_is_never_run(name: str, cli: Cli, here: Path, tiny_llama: Path) -> None:
    copy_of(tiny_llama / "tinyllama", here / "model", CODE[name])
    for command, arguments in COMMANDS.items():
        done = cli(*arguments, cwd=here)
        assert_untouched(here, done)
        if name not in (*HARMLESS, "template_escapes"):
            fails(done, "model", notes=True)
        elif name == "template_escapes" and command in ("published", "intend"):
            assert done.code == 1
        elif command != "intend":  # random weights hardly ever plan a day in 64 tokens
            assert done.code == 0, done.err
        shutil.rmtree(here / "made", ignore_errors=True)


@pytest.mark.parametrize("name", ADAPTERS)
def test_code_of_an_adapter_is_never_run(name: str, cli: Cli, here: Path, tiny_llama: Path) -> None:
    copy_of(tiny_llama / "trained", here / "adapter", ADAPTERS[name])
    base = str(tiny_llama / "tinyllama")
    for arguments in (
        ("predict", "challenge.csv", "--model", "adapter"),
        ("finetune", "merge", "adapter", "--output", "made"),
        ("intend", "people.csv", "-b", "hf", "-m", base, "--adapter", "adapter", "-o", "p.csv"),
    ):
        done = cli(*arguments, cwd=here)
        assert_untouched(here, done)
        fails(done, "adapter", notes=True)


def test_code_of_a_model_on_a_hub_is_never_run(
    cli: Cli, here: Path, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    def unknown(*_args: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(here / "cache"))
    cached = here / "cache" / "models--evil--model"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("0" * 40)
    for name, code in (("own_config", 1), ("own_model_of_a_known_type", 0)):
        shutil.rmtree(cached / "snapshots", ignore_errors=True)
        (cached / "snapshots").mkdir()
        copy_of(tiny_llama / "tinyllama", cached / "snapshots" / ("0" * 40), CODE[name])
        done = cli("finetune", "merge", "trained", "--base", "evil/model", "-o", "made", cwd=here)
        assert_untouched(here, done)
        assert done.code == code, done.err
        if code:
            fails(done, "evil/model", "auto_map")
    done = cli("finetune", "llama", "history.csv", "--base", "evil/none", "-o", "m", cwd=here)
    fails(done, "evil/none", "no such folder", "network")


@pytest.mark.parametrize("name", ["./SmolLM2-135M-Instruct", "a b", "x/y/z"])
def test_a_base_that_is_nowhere_is_one_line(name: str, cli: Cli, here: Path) -> None:
    done = cli("finetune", "llama", "history.csv", "--base", name, "-o", "made", cwd=here)
    fails(done, name, "no such folder")


# -- what hangs, fills the memory, or is damaged ---------------------------------------------------


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds rather than tens of them, and memory in proportion."""
    from humobctl.llm import chat, tokenizer_trial

    monkeypatch.setattr(chat, "MOST_SECONDS", 0.5)
    monkeypatch.setattr(chat, "MOST_MEMORY", 1 << 28)
    monkeypatch.setattr(tokenizer_trial, "MOST_SECONDS", 1)


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize("name", MODELS)
def test_a_model_that_does_harm_is_one_line(
    name: str, cli: Cli, here: Path, tiny_llama: Path
) -> None:
    copy_of(tiny_llama / "tinyllama", here / "model", MODELS[name])
    slow = name in ("slow_pattern", "long_replacement")  # all of them write the same pages
    for command in ("predict",) if slow else ("predict", "finetune", "merge", "intend"):
        begun = time.monotonic()
        done = cli(*COMMANDS[command], cwd=here)
        assert_untouched(here, done)
        fails(done, "model", notes=True)
        assert time.monotonic() - begun < 20


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_that_does_harm_is_one_line(
    name: str, cli: Cli, here: Path, tiny_llama: Path
) -> None:
    copy_of(tiny_llama / "tinyllama", here / "model", TEMPLATES[name])
    (here / "own.jsonl").write_text('{"instruction": "Say yes.", "output": "yes"}\n')
    learn = ("finetune", "llama", "own.jsonl", "--task", "intention", "--base", "model")
    for arguments in (COMMANDS["intend"], COMMANDS["published"], (*learn, "-o", "made")):
        begun = time.monotonic()
        done = cli(*arguments, cwd=here)
        assert_untouched(here, done)
        fails(done, "model", notes=True)
        assert time.monotonic() - begun < 20
    assert cli(*COMMANDS["predict"], cwd=here).code == 0  # which holds no conversation


def test_odd_settings_of_outputs_change_nothing(cli: Cli, here: Path, tiny_llama: Path) -> None:
    found = []
    for change in (lambda _: None, odd_outputs):
        shutil.rmtree(here / "model", ignore_errors=True)
        copy_of(tiny_llama / "tinyllama", here / "model", change)
        done = cli(*COMMANDS["predict"], cwd=here)
        assert done.code == 0, done.err
        found.append(done.out)
    assert found[0] == found[1]


@pytest.mark.parametrize("size", [0, 3, 20, 40, 200, 2000])
def test_a_damaged_gguf_is_one_line(size: int, cli: Cli, here: Path) -> None:
    pytest.importorskip("gguf")
    head = struct.pack("<4sIQQ", b"GGUF", 3, 1 << 40, 1 << 40)
    key = b"general.architecture"
    entry = struct.pack("<Q", len(key)) + key + struct.pack("<IQ", 8, 5) + b"llama"
    (here / "bad.gguf").write_bytes((head + entry + b"\xff" * 2000)[:size])
    fails(cli("predict", "challenge.csv", "--model", "bad.gguf", cwd=here), "bad.gguf")
