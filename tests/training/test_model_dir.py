"""Model dirs: whole or not at all, and no surprises on reading."""

from __future__ import annotations

import json

import numpy as np
import pytest

from humobctl.errors import HumobError
from humobctl.training.model_dir import Checkpoint, Fingerprint, load, save
from tests.messages import raises
from tests.predict.helpers import frame

MODEL = Checkpoint(
    "ranker",
    {"trees": 2, "rate": 0.1},
    {"value": np.arange(6, dtype=np.float32).reshape(2, 3)[:, ::2], "root": np.array([0, 3])},
    {"seed": 7},
    [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.25}],
)


def test_what_was_saved_is_loaded(tmp_path):
    save(MODEL, tmp_path / "m")
    found = load(tmp_path / "m", type="ranker")
    assert (found.type, found.config) == ("ranker", MODEL.config)
    assert found.run["seed"] == 7
    assert "version" in found.run
    for name, array in MODEL.arrays.items():
        assert found.arrays[name].dtype == array.dtype
        assert np.array_equal(found.arrays[name], array)
    lines = (tmp_path / "m" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["loss"] for line in lines] == [0.5, 0.25]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m"]


def test_a_model_is_replaced_only_when_asked(tmp_path):
    save(MODEL, tmp_path / "m")
    with raises(HumobError, "m", "--overwrite"):
        save(MODEL, tmp_path / "m")
    save(Checkpoint("other", {}, {}), tmp_path / "m", overwrite=True)
    assert load(tmp_path / "m").type == "other"


def test_nothing_but_a_model_is_ever_replaced(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("all my work")
    for target in (tmp_path / "thesis", tmp_path / "thesis" / "chapter.tex"):
        with raises(HumobError, target.name, "not a model dir"):
            save(MODEL, target, overwrite=True)
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "all my work"


def test_a_failed_save_leaves_nothing(tmp_path):
    with pytest.raises(TypeError):
        save(Checkpoint("ranker", {"bad": object()}, {}), tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("damage", "names"),
    [
        (lambda m: (m / "run.json").unlink(), ("no run.json", "model dir")),
        (lambda m: (m / "config.json").write_text("{"), ("config.json", "broken JSON")),
        (lambda m: (m / "config.json").write_text("[]"), ("config.json", "object")),
        (lambda m: (m / "model.safetensors").write_bytes(b"xx"), ("model.safetensors", "damaged")),
    ],
)
def test_damage_is_told_in_one_line(tmp_path, damage, names):
    save(MODEL, tmp_path / "m")
    damage(tmp_path / "m")
    with raises(HumobError, *names):
        load(tmp_path / "m")


def test_a_model_of_another_type_is_refused(tmp_path):
    save(MODEL, tmp_path / "m")
    with raises(HumobError, "m:", "ranker", "bert-moe"):
        load(tmp_path / "m", type="bert-moe")


def test_fingerprints_do_not_depend_on_batches():
    rows = frame([(1, d, t, 1 + d, 1 + t) for d in range(5) for t in range(4)])

    def digest(table, size):
        mark = Fingerprint()
        assert sum(b.height for b in mark.watch(table.iter_slices(size))) == table.height
        return mark.text()

    assert digest(rows, 3) == digest(rows, 20)
    assert digest(rows, 3) != digest(rows[1:], 3)
    assert digest(rows, 3).endswith(":20")
