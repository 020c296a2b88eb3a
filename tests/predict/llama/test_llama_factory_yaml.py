"""Settings files of LLaMA-Factory."""

from __future__ import annotations

from pathlib import Path

import pytest

from humobctl.errors import HumobError
from humobctl.predict.llama.config import resolve
from humobctl.predict.llama.llama_factory_yaml import is_yaml, read_factory
from tests.messages import raises, says

pytest.importorskip("yaml")

SFT = """### model
model_name_or_path: meta-llama/Meta-Llama-3-8B-Instruct
trust_remote_code: true
### method
stage: sft
do_train: true
finetuning_type: lora
lora_target: q_proj,v_proj
### dataset
dataset: identity
cutoff_len: 2048
### output
output_dir: saves/llama3-8b
logging_steps: 10
### train
per_device_train_batch_size: 2
gradient_accumulation_steps: 8
learning_rate: 1e-4
num_train_epochs: 3.0
lr_scheduler_type: cosine
warmup_steps: 0.1
bf16: true
val_size: 0.1
eval_steps: 500
neftune_noise_alpha: 5
"""


def written(folder: Path, text: str) -> str:
    (folder / "sft.yaml").write_text(text)
    return str(folder / "sft.yaml")


def test_keys_are_mapped_and_unknown_ones_reported(tmp_path: Path, capsys) -> None:
    found = read_factory(written(tmp_path, SFT))
    assert (found.base, found.output) == (
        "meta-llama/Meta-Llama-3-8B-Instruct",
        "saves/llama3-8b",
    )
    chosen = resolve("small", None, found.settings)
    assert (chosen.rank, chosen.alpha, chosen.target_modules) == (8, 16, "q_proj,v_proj")
    assert (chosen.batch_size, chosen.epochs, chosen.max_length) == (16, 3, 2048)
    assert (chosen.learning_rate, chosen.schedule, chosen.warmup) == (1e-4, "cosine", 0.1)
    assert (chosen.precision, chosen.validation_fraction, chosen.evaluate_every) == (
        "bf16",
        0.1,
        500,
    )
    said = capsys.readouterr().err
    says(said, "not used", "neftune_noise_alpha")
    assert "logging_steps" not in said


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("stage: dpo", ("key stage", "'dpo'", "'sft'")),
        ("finetuning_type: full", ("key finetuning_type", "'full'", "'lora'")),
        ("learning_rate: fast", ("key learning_rate", "'fast'")),
        ("a: [", ("YAML",)),
    ],
)
def test_another_training_is_refused(tmp_path: Path, line: str, names: tuple[str, ...]) -> None:
    with raises(HumobError, *names):
        read_factory(written(tmp_path, line))


def test_without_validation_nothing_is_validated(tmp_path: Path) -> None:
    found = read_factory(written(tmp_path, "lora_rank: 4\nquantization_bit: 4\nval_size: 200"))
    assert found.settings["quantization"] == "4bit"
    assert found.settings["validation_fraction"] == 0.05  # a number of records
    assert read_factory(written(tmp_path, "lora_rank: 4")).settings["validation_fraction"] == 0.0


def test_the_ending_tells() -> None:
    assert is_yaml("a.yml")
    assert not is_yaml("a.toml")


BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
)
"""A few lines that stand for a list of 9 ** 9 texts."""


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (BOMB + "model_name_or_path: *j\n", ("key model_name_or_path", "[[[")),
        (BOMB + "lora_rank: *j\n", ("key lora_rank", "[[[")),
        (BOMB + "stage: *j\n", ("key stage", "[[[")),
        (BOMB + "? *a\n: 1\n", ("found",)),
        ("lora_rank: .inf\n", ("key lora_rank", "inf")),
        (f"lora_rank: 1{'0' * 400}\n", ("key lora_rank",)),
        ("per_device_train_batch_size: x\n", ("per_device_train_batch_size", "'x'")),
        ("1: 2\n", ("key 1",)),
        ("- " * 3000, ("YAML", "nested")),
        ("a: 2024-13-45\n", ("YAML",)),
    ],
)
def test_what_a_file_must_not_hold(tmp_path: Path, text: str, names: tuple[str, ...]) -> None:
    with raises(HumobError, *names):
        read_factory(written(tmp_path, text))
