"""Speed and memory of the learned models at their published sizes, in ten minutes of one GPU.

``python -m benchmarks gpu`` runs each part in a process of its own with a limit of time, so that
what ran is kept; figures with the device's name go to ``bench-data/gpu.json`` part by part. All
data are synthetic. Without a GPU it runs at tiny sizes, which shows only that it works.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
import transformers

import humobctl as hm
from benchmarks.harness import ROOT, WORK, markdown
from humobctl.embed.config import EmbedderSettings
from humobctl.embed.config import tiny as tiny_embedder
from humobctl.embed.data import EmbedderColumns
from humobctl.embed.embed import EmbedOptions, TrainedEmbedder, embed_rows
from humobctl.embed.model import Encoder
from humobctl.generate.diffusion.config import paper as paper_diffusion
from humobctl.generate.diffusion.config import tiny as tiny_diffusion
from humobctl.generate.diffusion.process import Process, sampling_of
from humobctl.generate.diffusion.sample import draw, sources_of
from humobctl.generate.diffusion.train import DiffusionRecipe
from humobctl.llm.load import Loaded
from humobctl.predict.bert_moe.config import paper as paper_bert
from humobctl.predict.bert_moe.config import tiny as tiny_bert
from humobctl.predict.bert_moe.train import BertMoeRecipe
from humobctl.predict.city_profile import CityCounter
from humobctl.predict.llama.config import PromptShape
from humobctl.predict.llama.predict_compact import CompactPredictor, TokenTally
from humobctl.predict.llama.predict_published import PublishedPredictor
from humobctl.predict.run import Targets, user_of
from humobctl.training.distributed import Group
from humobctl.training.torch_loop import TorchRecipe, TorchTraining

LLAMA3_8B: dict[str, Any] = {
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128_256,
    "max_position_embeddings": 32_768,
    "rope_theta": 500_000.0,
}
"""Sizes of Llama-3-8B, with a context that holds whole histories."""
_TINY_LLAMA = LLAMA3_8B | {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 512,
}
_MB = 1e6
Figures = dict[str, float | int | str]


@dataclass(frozen=True)
class Scale:
    """How much a part does.

    Attributes:
        device: cuda, or cpu at tiny sizes.
        users: of the synthetic city.
        asked: users that a language model predicts for.
        free_tokens: that are generated freely.
        seconds: that steps are repeated for.
    """

    device: str
    users: int
    asked: int
    free_tokens: int
    seconds: float

    @property
    def tiny(self) -> bool:
        """Whether sizes are those of a test."""
        return self.device == "cpu"


def scale_of(device: str) -> Scale:
    """What is done on a device."""
    if device == "cpu":
        return Scale("cpu", users=4, asked=1, free_tokens=4, seconds=0.0)
    return Scale(device, users=200, asked=16, free_tokens=256, seconds=20.0)


def _repeat(work: Callable[[], object], scale: Scale) -> float:
    """Seconds of one call, warmed up."""
    work()
    _wait(scale)
    calls, begun = 0, time.perf_counter()
    while not calls or time.perf_counter() - begun < scale.seconds:
        work()
        _wait(scale)
        calls += 1
    return (time.perf_counter() - begun) / calls


def _wait(scale: Scale) -> None:
    if not scale.tiny:
        torch.cuda.synchronize()


def _peak_mb(scale: Scale) -> Figures:
    if scale.tiny:
        return {}
    return {"peak_mb": round(torch.cuda.max_memory_allocated() / _MB)}


def _begin(recipe: TorchRecipe[Any], data: Any, scale: Scale) -> TorchTraining:
    return recipe.start(data, scale.device, Group())


def bert_moe(scale: Scale) -> Figures:
    """Training steps of bert-moe, preset ``paper``."""
    settings = tiny_bert() if scale.tiny else replace(paper_bert(), precision="auto")
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "city.parquet")
        hm.synth(users=scale.users, seed=0).write_parquet(path)
        recipe = BertMoeRecipe(settings=settings, paths=[str(path)]).set_up(scale.device)
        with recipe.prepare() as data:
            training = _begin(recipe, data, scale)
            seconds = _repeat(training.advance, scale)
    chosen = recipe.settings
    tokens = chosen.batch_size * (chosen.input_length + chosen.prediction_length)
    return {
        "precision": chosen.precision,
        "parameters": sum(one.numel() for one in training.network.parameters()),
        "windows_per_s": chosen.batch_size / seconds,
        "tokens_per_s": tokens / seconds,
        **_peak_mb(scale),
    }


def diffusion(scale: Scale) -> Figures:
    """Training steps and samples of diffusion at CoPB's published size."""
    settings = tiny_diffusion() if scale.tiny else replace(paper_diffusion(), precision="auto")
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "stays.csv")
        _stays(scale.users).write_csv(path)
        recipe = DiffusionRecipe(replace(settings, condition="none"), str(path))
        recipe = recipe.set_up(scale.device)
        with recipe.prepare() as data:
            training = _begin(recipe, data, scale)
            step = _repeat(training.advance, scale)
    chosen, many = recipe.settings, 2 if scale.tiny else 256
    process, numbers = Process(chosen), np.arange(many)
    network = training.kept.eval()

    evaluations = 2 if scale.tiny else 16
    sampling, sources = sampling_of(chosen, None, evaluations), sources_of(0, numbers, numbers)
    samples = _repeat(lambda: draw(network, process, sampling, sources), scale)
    return {
        "precision": chosen.precision,
        "parameters": sum(one.numel() for one in network.parameters()),
        "trained_days_per_s": chosen.batch_size / step,
        "evaluations": evaluations,
        "sampled_days_per_s": many / samples,
        **_peak_mb(scale),
    }


def _stays(people: int) -> pl.DataFrame:
    """Home, work, home on ten days."""
    uid, d, seq = (one.ravel() for one in np.meshgrid(range(people), range(10), range(3)))
    order = np.lexsort((seq, d, uid))
    uid, d, seq = uid[order], d[order], seq[order]
    at_work = seq == 1
    lat = 39.9 + 0.001 * uid + np.where(at_work, 0.02 + 0.001 * (uid % 7), 0)
    return pl.DataFrame(
        {
            "uid": uid,
            "d": d,
            "seq": seq,
            "intent": np.array(["go to sleep", "go to work", "go home"])[seq],
            "start_min": np.array([0, 500, 1100])[seq] + (seq > 0) * (uid % 30),
            "end_min": np.array([450, 1050, 1440])[seq],
            "place_id": np.where(at_work, uid % 7, 100 + uid).astype(str),
            "lat": lat,
            "lon": 116.3,
        }
    )


def llama(scale: Scale) -> Figures:
    """Prediction with random weights of Llama-3-8B's sizes: free, published template, compact."""
    from tests.predict.llama.tiny import tokenizer_of  # noqa: PLC0415 - not installed everywhere

    kind = torch.float32 if scale.tiny else torch.bfloat16
    torch.manual_seed(0)
    usual = torch.get_default_dtype()
    torch.set_default_dtype(kind)
    try:
        with torch.device(scale.device):
            config = transformers.LlamaConfig(**(_TINY_LLAMA if scale.tiny else LLAMA3_8B))
            network = transformers.LlamaForCausalLM(config).eval()
    finally:
        torch.set_default_dtype(usual)
    loaded = Loaded(network, tokenizer_of(list("0123456789")), scale.device)
    days, masked = (8, 2) if scale.tiny else (75, 15)
    rows = hm.synth(users=scale.asked, days=days, seed=0)
    rows = rows.filter(pl.col("t").is_between(16, 30)) if scale.tiny else rows
    table = hm.mask(rows, from_day=days - masked)
    counter = CityCounter(days)
    counter.add(table.filter(Targets().known_mask()))
    city = counter.city()
    users = [user_of(part, Targets()) for part in table.partition_by("uid", maintain_order=True)]
    found: Figures = {"users": len(users), "tokenizer": "bytes"}
    prompt = torch.randint(0, 200, (1, 32 if scale.tiny else 4096), device=scale.device)
    count = scale.free_tokens

    def generate() -> None:
        with torch.inference_mode():
            network.generate(
                input_ids=prompt,
                attention_mask=torch.ones_like(prompt),
                min_new_tokens=count,
                max_new_tokens=count,
                do_sample=False,
                pad_token_id=0,
            )

    free = replace(scale, seconds=0.0)
    found["free_tokens_per_s"] = count / _repeat(generate, free)
    models: dict[str, Any] = {
        "compact": CompactPredictor(loaded, city, PromptShape(), "random", bf16=not scale.tiny),
        "published_template": PublishedPredictor(loaded, city, bf16=not scale.tiny),
    }
    for name, model in models.items():
        step = model.batch_users
        model.distributions(users[:1])
        model.tally = TokenTally()
        begun = time.perf_counter()
        for first in range(0, len(users), step):
            model.distributions(users[first : first + step])
        found[f"{name}_s_per_user"] = (time.perf_counter() - begun) / len(users)
        found[f"{name}_prefilled_per_user"] = model.tally.prefilled / len(users)
    return found | _peak_mb(scale)


def embed(scale: Scale) -> Figures:
    """Vectors of users by the embedder at its default size."""
    settings = tiny_embedder() if scale.tiny else EmbedderSettings()
    torch.manual_seed(0)
    encoder = Encoder(settings, 1).eval().to(scale.device)
    trained = TrainedEmbedder("random", settings, ["city"], encoder, [], [], scale.device)
    found: Figures = {"users": scale.users}
    with EmbedderColumns() as rows:
        rows.add(hm.synth(users=scale.users, days=14 if scale.tiny else 75, seed=0), 1)
        rows.close_columns()
        for precision in ("fp32",) if scale.tiny else ("fp32", "bf16"):
            asked = EmbedOptions(precision=precision)
            seconds = _repeat(lambda asked=asked: embed_rows(rows, trained, asked), scale)
            found[f"users_per_s_{precision}"] = scale.users / seconds
    return found | _peak_mb(scale)


PARTS: dict[str, tuple[Callable[[Scale], Figures], int]] = {
    "bert-moe": (bert_moe, 120),
    "diffusion": (diffusion, 100),
    "embed": (embed, 80),
    "llama": (llama, 280),
}
"""Name -> what it does, and the seconds that it may take, start-up included: 580 in all."""


def device_name() -> str:
    """The GPU's name, or the processor's with what that means."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"no GPU, tiny sizes on {platform.machine()}"


def table() -> str:
    """Figures of all parts; also written to ``bench-data/gpu.json``, part by part."""
    WORK.mkdir(exist_ok=True)
    found: dict[str, Any] = {"device": device_name(), "torch": torch.__version__, "parts": {}}
    for name, (_, limit) in PARTS.items():
        found["parts"][name] = _in_process(name, limit)
        (WORK / "gpu.json").write_text(json.dumps(found, indent=2) + "\n")
        print(f"{name}: {found['parts'][name]}", file=sys.stderr, flush=True)
    rows = [
        [name, figure, f"{value:,.4g}" if isinstance(value, float) else str(value)]
        for name, figures in found["parts"].items()
        for figure, value in figures.items()
    ]
    return f"{found['device']}\n\n" + markdown(["part", "figure", "value"], rows)


def _in_process(name: str, limit: float) -> Figures:
    """Figures of a part, or why there are none."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.gpu", name]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=limit
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"not done in {limit:g} s"}
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        return {"failed": lines[-1]}
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures | {"seconds": round(time.perf_counter() - begun, 1)}


if __name__ == "__main__":
    part, _ = PARTS[sys.argv[1]]
    print(json.dumps(part(scale_of("cuda" if torch.cuda.is_available() else "cpu"))))
