"""Settings: presets, a TOML file, flags, and what is refused."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from humobctl.errors import HumobError, UsageError
from humobctl.predict.bert_moe.config import PRESETS, Settings, from_record, resolve, small, tiny


def test_flags_change_the_file_which_changes_the_preset(tmp_path):
    file = tmp_path / "s.toml"
    file.write_text('preset = "tiny"\nepochs = 7\nlearning_rate = 1\n')
    found = resolve(None, str(file), {"epochs": 9})
    assert found == Settings(**{**asdict(tiny()), "epochs": 9, "learning_rate": 1.0})
    assert isinstance(found.learning_rate, float)


def test_the_preset_flag_takes_the_place_of_the_files():
    assert resolve("paper", None, {}).hidden_layers == 24
    assert resolve(None, None, {}) == small()


def test_a_fine_tuning_starts_from_the_earlier_settings(tmp_path):
    earlier = Settings(hidden_size=64, seed=5)
    assert resolve(None, None, {"seed": 6}, earlier) == Settings(hidden_size=64, seed=6)
    assert resolve("small", None, {}, earlier) == small()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hiden_size = 3", "found the key 'hiden_size', expected one of model_name"),
        ("hidden_size = 3.5", "key hidden_size: found 3.5, expected a whole number"),
        ("hidden_size = true", "key hidden_size: found True, expected a whole number"),
        ("learning_rate = 'x'", "key learning_rate: found 'x', expected a number"),
        ("model_name = 3", "key model_name: found 3, expected a text"),
        ("dropout = 2", "key dropout: found 2, expected 0 to 0.9"),
        ("seed = -1", "key seed: found -1, expected 0 to 2147483647"),
        ("epochs = ", "found no TOML"),
    ],
)
def test_a_file_that_is_wrong_is_told(tmp_path, text, message):
    file = tmp_path / "s.toml"
    file.write_text(text)
    with pytest.raises(HumobError, match=r"s\.toml") as found:
        resolve(None, str(file), {})
    assert message in str(found.value)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(HumobError, match="No such file"):
        resolve(None, str(tmp_path / "none.toml"), {})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"attention_heads": 3}, "--attention-heads: found 3, expected a divisor"),
        ({"top_k": 9}, "--top-k: found 9, expected at most 8 experts"),
        ({"max_seq_length": 600}, "expected at least 640"),
        ({"model_name": "BERT"}, "expected MobilityBERT or MobilityBERTMoE"),
        ({"location_ids": 50_000}, "--location-ids: found 50000"),
        ({"learning_rate": float("nan")}, "--learning-rate: found nan"),
    ],
)
def test_settings_that_do_not_go_together(settings, message):
    with pytest.raises(UsageError) as found:
        Settings(**settings)
    assert message in str(found.value)


def test_every_preset_survives_the_model_dir():
    for preset in PRESETS.values():
        record = {**asdict(preset()), "of_a_later_version": 1}
        assert from_record(record) == preset()
