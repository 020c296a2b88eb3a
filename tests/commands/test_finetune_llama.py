"""`finetune` and `predict` with what it wrote, through the real command line."""

from __future__ import annotations

import functools
import json
import re
import shutil
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

from tests.conftest import Cli, Run
from tests.messages import fails, says
from tests.predict.llama.tiny import tokenizer_of

TINY = ("--base", "tinyllama", "--preset", "tiny")
INTENTION = ("finetune", "llama", *TINY, "--task", "intention", "--validation-fraction", "0")


@pytest.fixture
def cli(warm_cli: Cli) -> Cli:
    """Torch is imported once for all these tests, and no hub is asked."""
    return functools.partial(warm_cli, env={"HF_HUB_OFFLINE": "1"})


@pytest.fixture
def here(tiny_llama: Path, example_files: Path, tmp_path: Path) -> Path:
    """A folder with the tiny model, its adapter, and a city of three people."""
    for name in ("tinyllama", "trained", "records.jsonl"):
        (tmp_path / name).symlink_to(tiny_llama / name)
    for name in ("challenge", "city"):
        lines = (example_files / f"{name}.csv").read_text().splitlines(keepends=True)
        few = [line for line in lines[1:] if int(line.split(",")[0]) < 4]
        (tmp_path / f"{name}.csv").write_text("".join([lines[0], *few]))
    return tmp_path


def predicted(cli: Cli, folder: Path, model: str, *flags: str) -> Run:
    name = f"{Path(model).stem}.csv"
    flags = ("--decode", "argmax", "--output", name, *flags)
    return cli("predict", "challenge.csv", "--model", model, *flags, cwd=folder)


def test_an_adapter_dir_says_how_it_came_to_be(tiny_llama: Path) -> None:
    folder = tiny_llama / "trained"
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "adapter_config.json", "adapter_model.safetensors"} <= names
    assert {"run.json", "metrics.jsonl", "tokenizer.json", "tensorboard"} <= names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pkl"))]
    assert not (tiny_llama / "trained.training").exists()
    config = json.loads((folder / "config.json").read_text())
    assert (config["type"], config["task"], config["template"]) == ("llama", "mobility", "compact")
    assert config["base"] == str(tiny_llama / "tinyllama")
    run = json.loads((folder / "run.json").read_text())
    (file,) = run["files"]
    assert (file["users"], file["validating"], file["last_day"]) == (20, 2, 59)
    assert run["settings"]["rank"] == 4
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    losses = [record["loss"] for record in records if "loss" in record]
    assert 0 < losses[-1] < 10
    assert 0 < run["scores"]["geobleu"] <= 1
    assert set(run["scores"]["compared"]) == {"llama", "history"}


def test_all_rows_are_predicted_in_the_users_own_cells(cli: Cli, here: Path) -> None:
    done = predicted(cli, here, "trained", "--decode", "day")
    assert done.code == 0, done.err
    assert cli("predict", "challenge.csv", "--validate", "trained.csv", cwd=here).code == 0
    own = {
        (row[0], *row[3:])
        for line in (here / "challenge.csv").read_text().splitlines()[1:]
        if (row := line.split(","))[3] != "999"
    }
    for line in (here / "trained.csv").read_text().splitlines()[1:]:
        uid, _, _, x, y = line.split(",")
        assert (uid, x, y) in own


def test_a_merged_model_predicts_as_the_adapter_does(cli: Cli, here: Path) -> None:
    done = cli(*("finetune", "merge", "trained", "-o", "merged", "--precision", "fp32"), cwd=here)
    assert done.code == 0, done.err
    assert (here / "merged" / "model.safetensors").is_file()
    assert cli("finetune", "merge", "trained", "-o", "merged", cwd=here).code == 1  # it is there
    for model in ("trained", "merged", "tinyllama"):
        done = predicted(cli, here, model)
        assert done.code == 0, done.err
    says(done.err, "tinyllama", "not fine-tuned")
    merged = (here / "merged.csv").read_bytes()
    assert merged == (here / "trained.csv").read_bytes()
    assert merged != (here / "tinyllama.csv").read_bytes()
    config = json.loads((here / "merged" / "config.json").read_text())
    assert (config["type"], config["model_type"]) == ("llama", "llama")
    done = cli("finetune", "export", "merged", "--ollama", "Modelfile", cwd=here)
    assert done.code == 0, done.err
    assert (here / "Modelfile").read_text().startswith(f"FROM {here}/merged\n")


def test_a_training_that_goes_on_is_the_same_to_the_last_bit(cli: Cli, here: Path) -> None:
    flags = (*TINY, "--epochs", "2", "--evaluate-every", "2", "--records", "2", "--dropout", "0.1")
    command = ("finetune", "llama", "challenge.csv", *flags, "--validation-fraction", "0.4")
    assert cli(*command, "-o", "whole", cwd=here).code == 0
    code = (
        "import os, signal\n"
        "from humobctl.training.torch_loop import TorchTraining\n"
        "kept = TorchTraining.save\n"
        "def save(self, path, numbers, *, write):\n"
        "    kept(self, path, numbers, write=write)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "TorchTraining.save = save\n"
    )
    killed = cli(*command, "-o", "parts", cwd=here, before=code)
    assert killed.code == -9, killed.err
    assert not (here / "parts").exists()
    again = cli(*command, "-o", "parts", cwd=here)
    fails(again, "parts.training", "unfinished", "--resume", notes=True)
    done = cli(*command, "-o", "parts", "--resume", cwd=here)
    assert done.code == 0, done.err
    whole, parts = (here / name for name in ("whole", "parts"))
    for name in ("adapter_model.safetensors", "metrics.jsonl"):
        assert (whole / name).read_bytes() == (parts / name).read_bytes()


def test_a_dry_run_shows_a_record_and_trains_nothing(cli: Cli, here: Path) -> None:
    done = cli("finetune", "llama", "challenge.csv", *TINY, "--dry-run", cwd=here)
    assert done.code == 0, done.err
    assert done.out.startswith("Person in half-hour slots 0-47")
    says(done.err, "tokens a record")
    says(done.err, "95th percentile")
    says(done.err, "memory")
    says(done.err, "time")
    assert not list(here.glob("*.training"))
    flags = ("--template", "llama3-8b-mob", "--max-length", "4500", "--dry-run", "--horizon", "2")
    done = cli("finetune", "llama", "challenge.csv", *TINY, *flags, cwd=here)
    assert done.code == 0, done.err
    assert "Here is the data I wish you to predict:\nd t x y\n" in done.out
    assert re.search(r"history: [1-9]\d* days dropped", done.err)
    assert '"prediction": [\n        [\n            58,\n' in done.out


def test_intentions_are_learnt_from_records_of_intend(cli: Cli, here: Path) -> None:
    flags = (*TINY, "--task", "intention", "--max-length", "4096", "--max-steps", "2")
    own = '{"instruction": "Say yes.", "output": "yes"}\n{"prompt": "No?", "completion": "no"}\n'
    (here / "own.jsonl").write_text(own)
    done = cli("finetune", "llama", "records.jsonl", "own.jsonl", *flags, "-o", "plans", cwd=here)
    assert done.code == 0, done.err
    run = json.loads((here / "plans" / "run.json").read_text())
    about = run["files"][1]
    assert (about["file"], about["records"], len(about["fingerprint"])) == ("own.jsonl", 2, 32)
    assert json.loads((here / "plans" / "config.json").read_text())["task"] == "intention"
    done = predicted(cli, here, "plans")
    fails(done, "--task intention", "--task mobility", notes=True)
    # It is an adapter like any other to `intend`.
    from humobctl.intend.backends.transformers_config import make_config
    from humobctl.intend.backends.transformers_model import LocalModel

    model = LocalModel(
        make_config({"model": str(here / "tinyllama"), "adapter": str(here / "plans")})
    )
    assert model.device in ("cpu", "cuda", "mps")


ALPACA = {
    "instruction": "And then?",
    "input": "It is 7:00.",
    "output": "Work.",
    "system": "You are Ann.",
    "history": [["What first?", "Sleep."]],
}
SHARED = {
    "system": "You are Ann.",
    "conversations": [
        {"from": "human", "value": "What first?"},
        {"from": "gpt", "value": "Sleep."},
        {"from": "human", "value": "And then?\nIt is 7:00."},
        {"from": "gpt", "value": "Work."},
    ],
}
OPENAI = {
    "messages": [
        {"role": "system", "content": "You are Ann."},
        {"role": "user", "content": "What first?"},
        {"role": "assistant", "content": "Sleep."},
        {"role": "user", "content": "And then?\nIt is 7:00."},
        {"role": "assistant", "content": "Work."},
    ]
}


@pytest.mark.parametrize("record", [ALPACA, SHARED, OPENAI], ids=["alpaca", "sharegpt", "openai"])
@pytest.mark.parametrize("indent", [None, 2])
def test_data_of_others_are_read(
    cli: Cli, here: Path, record: dict[str, object], indent: int | None
) -> None:
    text = json.dumps(record) if indent is None else json.dumps([record, record], indent=indent)
    (here / "own.json").write_text(f"\ufeff{text}", encoding="utf-8")
    done = cli(*INTENTION, "own.json", "--dry-run", cwd=here)
    assert done.code == 0, done.err
    assert re.findall(r"<\|im_start\|>(\w+)\n([^<]*)", done.out) == [
        ("system", "You are Ann."),
        ("user", "What first?"),
        ("assistant", "Sleep."),
        ("user", "And then?\nIt is 7:00."),
        ("assistant", "Work.\n"),
    ]
    says(done.err, "records", 1 if indent is None else 2)
    if record is not OPENAI:
        says(done.err, "own.json", 1 if indent is None else 2, "context")


def test_what_is_null_is_not_there(cli: Cli, here: Path) -> None:
    nulls = {"instruction": "Say yes.", "input": None, "output": "yes", "system": None}
    (here / "own.jsonl").write_text(json.dumps({**nulls, "history": None, "tools": ""}) + "\n\n")
    done = cli(*INTENTION, "own.jsonl", "--dry-run", cwd=here)
    assert done.code == 0, done.err
    assert "None" not in done.out


def test_a_training_does_not_go_on_with_another_file(
    cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from humobctl.errors import HumobError
    from humobctl.predict.llama.train import LlamaRecipe

    def stopped(*_: object) -> None:
        raise HumobError("stopped")

    def learn(word: str, *flags: str) -> Run:
        (here / "own.jsonl").write_text(json.dumps({"prompt": "Where?", "completion": word}))
        return cli(*INTENTION, "own.jsonl", "--max-steps", "1", "-o", "made", *flags, cwd=here)

    with monkeypatch.context() as patch:
        patch.setattr(LlamaRecipe, "finish", stopped)
        assert learn("home").code == 1
    fails(learn("work", "--resume"), "made.training", "files", notes=True)
    assert learn("home", "--resume").code == 0


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{", ("line 1", "invalid JSON")),
        ('{"messages": [{"role": "user", "content": "a"}]}', ("line 1", "messages")),
        ('[{"prompt": "a", "completion": "b"}, 7]', ("record 2", "instruction")),
        ('[{"prompt": "a",]', ("invalid JSON",)),
        ('{"instruction": "a", "output": 7}', ("line 1", "output")),
        ('{"instruction": "a", "output": "b", "history": [["c"]]}', ("line 1", "history")),
        ('{"instruction": "a", "output": "b", "images": ["c.png"]}', ("line 1", "images")),
        ('{"conversations": [{"from": "observation", "value": "a"}]}', ("observation",)),
        ('{"messages": [{"role": "assistant", "content": "a"}]}', ("line 1", "question")),
    ],
)
def test_records_that_are_none_are_refused(
    cli: Cli, here: Path, text: str, names: tuple[str, ...]
) -> None:
    (here / "own.jsonl").write_text(text)
    done = cli("finetune", "llama", "own.jsonl", "--task", "intention", *TINY, "-o", "x", cwd=here)
    assert done.out == ""
    fails(done, "own.jsonl", *names)


def copied(folder: Path, name: str) -> Path:
    target = folder / name
    shutil.copytree((folder / "trained").resolve(), target)
    return target


def test_a_broken_adapter_is_one_line(cli: Cli, here: Path) -> None:
    broken = copied(here, "broken")
    (broken / "adapter_model.safetensors").write_bytes(b"no tensors")
    done = predicted(cli, here, "broken")
    fails(done, "broken/adapter_model.safetensors", "damaged")


def test_an_adapter_of_other_layers_is_refused(cli: Cli, here: Path) -> None:
    from tests.predict.llama.tiny import make

    make(here / "wider", width=64)
    done = predicted(cli, here, "trained", "--base", "wider")
    fails(done, "trained", "another base model", "wider", notes=True)
    other = copied(here, "other")
    arrays = load_file(other / "adapter_model.safetensors")
    renamed = {name.replace("layers.1.", "layers.7."): array for name, array in arrays.items()}
    save_file(renamed, other / "adapter_model.safetensors")
    done = predicted(cli, here, "other")
    fails(done, "other", "another base model", notes=True)


def test_a_base_that_has_gone_is_named(cli: Cli, here: Path) -> None:
    moved = copied(here, "moved")
    config = json.loads((moved / "config.json").read_text())
    (moved / "config.json").write_text(json.dumps({**config, "base": "/nowhere/llama"}))
    done = predicted(cli, here, "moved")
    fails(done, "moved", "/nowhere/llama", "--base", notes=True)
    assert predicted(cli, here, "moved", "--base", "tinyllama").code == 0


def test_a_tokenizer_without_digits_is_refused(cli: Cli, here: Path) -> None:
    shutil.copytree((here / "tinyllama").resolve(), here / "mute")
    tokenizer_of([]).save_pretrained(here / "mute")
    done = predicted(cli, here, "mute")
    fails(done, "mute", "tokenizer", "digits", notes=True)
    flags = ("--base", "mute", "--preset", "tiny", "-o", "x")
    done = cli("finetune", "llama", "challenge.csv", *flags, cwd=here)
    fails(done, "mute", "tokenizer", "digits", notes=True)
    assert not list(here.glob("x*"))


@pytest.mark.parametrize(
    ("flags", "code", "names"),
    [
        (("-o", "x"), 2, ("--base",)),
        (("--base", "tinyllama"), 2, ("--output",)),
        ((*TINY, "-o", "x", "--target-modules", "qproj"), 2, ("--target-modules", "qproj")),
        ((*TINY, "-o", "x", "--rank", "0"), 2, ("--rank", 0, 1)),
        ((*TINY, "-o", "x", "--quantization", "4bit", "--device", "cpu"), 1, ("CUDA GPU",)),
        (("--base", "no-such", "-o", "x"), 1, ("no-such", "no such folder")),
        ((*TINY, "-o", "x", "--max-length", "64"), 1, ("no record fits",)),
        ((*TINY, "-o", "x", "--settings", "sft.yaml"), 1, ("sft.yaml", "key stage", "'dpo'")),
    ],
)
def test_what_cannot_be_trained_is_one_line(
    cli: Cli, here: Path, flags: tuple[str, ...], code: int, names: tuple[str | int, ...]
) -> None:
    (here / "sft.yaml").write_text("stage: dpo\n")
    done = cli("finetune", "llama", "challenge.csv", *flags, cwd=here)
    fails(done, *names, code=code, notes=True)
    assert not (here / "x").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "names"),
    [
        (("trained",), 2, ("--ollama", "--gguf")),
        (("trained", "--gguf", "a.gguf"), 1, ("adapter", "merged")),
        (("tinyllama", "--gguf", "a.gguf"), 1, ("convert_hf_to_gguf.py",)),
        (("tinyllama", "--gguf", "a.bin"), 2, ("a.bin", ".gguf")),
        (("records.jsonl", "--ollama", "M"), 1, ("records.jsonl", "adapter dir")),
    ],
)
def test_what_cannot_be_exported_is_one_line(
    cli: Cli, here: Path, arguments: tuple[str, ...], code: int, names: tuple[str, ...]
) -> None:
    done = cli("finetune", "export", *arguments, cwd=here)
    assert done.out == ""
    fails(done, *names, code=code)


def test_gguf_is_made_by_the_converter_that_is_given(cli: Cli, here: Path) -> None:
    script = "import sys; open(sys.argv[3], 'wb').write(b'GGUF'); assert sys.argv[2] == '--outfile'"
    (here / "convert.py").write_text(script)
    flags = ("tinyllama", "--gguf", "m.gguf", "--converter", "convert.py")
    done = cli("finetune", "export", *flags, cwd=here)
    assert done.code == 0, done.err
    assert (here / "m.gguf").read_bytes() == b"GGUF"
    (here / "convert.py").write_text("raise SystemExit('no such architecture')")
    done = cli("finetune", "export", *flags, cwd=here)
    fails(done, "(1)", "no such architecture", notes=True)


@pytest.mark.parametrize(
    ("model", "flags", "code", "names"),
    [
        ("history", ("--template", "compact"), 2, ("language model",)),
        ("trained", ("--template", "short"), 2, ("compact", "llama3-8b-mob")),
        ("trained", ("--candidates", "all"), 2, ("own", "near")),
        ("tinyllama", ("--base", "x"), 2, ("--base", "adapter")),
        ("trained", ("--city", "b"), 2, ("--city",)),
        ("trained", ("--journal", "j"), 2, ("--journal", "--base-url")),
    ],
)
def test_options_that_do_not_go_together(
    cli: Cli, here: Path, model: str, flags: tuple[str, ...], code: int, names: tuple[str, ...]
) -> None:
    fails(predicted(cli, here, model, *flags), *names, code=code, notes=True)


@pytest.mark.parametrize(
    ("flags", "code", "names"),
    [
        (("-m", "tinyllama", "--device", "cpu"), 1, ("--quantization 4bit", "cpu", "CUDA GPU")),
        (("-m", "history"), 2, ("history", "language model")),
        (("-m", "x", "--base-url", "http://x/v1"), 2, ("--quantization", "--base-url")),
    ],
)
def test_packed_weights_need_a_language_model_on_cuda(
    cli: Cli, here: Path, flags: tuple[str, ...], code: int, names: tuple[str, ...]
) -> None:
    done = cli("predict", "challenge.csv", *flags, "--quantization", "4bit", cwd=here)
    fails(done, *names, code=code, notes=True)
