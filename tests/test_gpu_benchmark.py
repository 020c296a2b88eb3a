"""The script for a GPU works, as far as a CPU can tell: every part at tiny sizes."""

from __future__ import annotations

import json
import subprocess
from types import SimpleNamespace

import pytest

for _package in ("torch", "transformers", "diffusers"):
    pytest.importorskip(_package)

from benchmarks import gpu  # noqa: E402 - needs these packages

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.mark.parametrize(
    ("part", "figures"),
    [
        ("bert-moe", {"windows_per_s", "tokens_per_s", "parameters"}),
        ("diffusion", {"trained_days_per_s", "sampled_days_per_s", "parameters"}),
        ("embed", {"users_per_s_fp32"}),
        ("llama", {"free_tokens_per_s", "compact_s_per_user", "published_template_s_per_user"}),
    ],
)
def test_a_part_runs_at_tiny_sizes(part, figures):
    run, _ = gpu.PARTS[part]
    found = run(gpu.scale_of("cpu"))
    assert figures <= found.keys()
    assert all(found[name] > 0 for name in figures)
    assert json.loads(json.dumps(found)) == found


def test_what_ran_is_kept_where_a_part_takes_too_long(monkeypatch, tmp_path, capsys):
    def run(command, *, timeout, **_):
        if command[-1] == "llama":
            raise subprocess.TimeoutExpired(command, timeout)
        failed = command[-1] == "embed"
        return SimpleNamespace(
            returncode=int(failed), stdout='notes\n{"users_per_s": 3.0}\n', stderr="a\nno memory\n"
        )

    monkeypatch.setattr(gpu.subprocess, "run", run)
    monkeypatch.setattr(gpu, "WORK", tmp_path / "work")
    assert gpu.device_name() in gpu.table()
    kept = json.loads((tmp_path / "work" / "gpu.json").read_text())
    assert kept["device"] == gpu.device_name()
    assert kept["parts"]["bert-moe"]["users_per_s"] == 3
    assert kept["parts"]["embed"] == {"failed": "no memory"}
    assert kept["parts"]["llama"] == {"failed": "not done in 280 s"}
    assert "bert-moe" in capsys.readouterr().err


def test_all_parts_together_take_ten_minutes_at_most():
    assert sum(limit for _, limit in gpu.PARTS.values()) <= 600
