"""Settings: presets, a TOML file, flags, and what is refused."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from humobctl.errors import HumobError, UsageError
from humobctl.predict.bert_moe.config import PRESETS, resolve, small, tiny
from humobctl.predict.bert_moe.config import BertMoeSettings as Settings
from humobctl.training.settings import from_record
from tests.messages import raises


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
    ("text", "names"),
    [
        ("hiden_size = 3", ("'hiden_size'", "model_name")),
        ("hidden_size = 3.5", ("key hidden_size", 3.5, "whole number")),
        ("hidden_size = true", ("key hidden_size", "True", "whole number")),
        ("learning_rate = 'x'", ("key learning_rate", "'x'", "number")),
        ("model_name = 3", ("key model_name", 3, "text")),
        ("dropout = 2", ("key dropout", 2, 0, 0.9)),
        ("seed = -1", ("key seed", -1, 0, 2147483647)),
        ("epochs = ", ("TOML",)),
    ],
)
def test_a_file_that_is_wrong_is_told(tmp_path, text, names):
    file = tmp_path / "s.toml"
    file.write_text(text)
    with raises(HumobError, "s.toml", *names):
        resolve(None, str(file), {})


def test_a_missing_file_is_told(tmp_path):
    with raises(HumobError, "none.toml", "no such file"):
        resolve(None, str(tmp_path / "none.toml"), {})


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"attention_heads": 3}, ("--attention-heads", 3)),
        ({"top_k": 9}, ("--top-k", 9, 8)),
        ({"max_seq_length": 600}, (600, 640)),
        ({"model_name": "BERT"}, ("MobilityBERT", "MobilityBERTMoE")),
        ({"location_ids": 50_000}, ("--location-ids", 50_000)),
        ({"learning_rate": float("nan")}, ("--learning-rate", "nan")),
    ],
)
def test_settings_that_do_not_go_together(settings, names):
    with raises(UsageError, *names):
        Settings(**settings)


def test_every_preset_survives_the_model_dir():
    for preset in PRESETS.values():
        record = {**asdict(preset()), "of_a_later_version": 1}
        assert from_record(Settings, record) == preset()
