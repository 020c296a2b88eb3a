"""The embedder: operations a second beside the machine's own, and scores of what it learns."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import polars as pl
import torch

from benchmarks.harness import DATA, WORK, interleaved, markdown
from humobctl.embed.anchors import LEARNT
from humobctl.embed.config import EmbedderSettings
from humobctl.embed.data import EmbedderColumns
from humobctl.embed.embed import EmbedOptions, TrainedEmbedder, embed_rows
from humobctl.embed.model import WAVES, Encoder
from humobctl.embed.train import EmbedderData, EmbedderRecipe
from humobctl.tables.schemas import EMBEDDING_SIZE, GRID_SIDE
from humobctl.training.distributed import Group
from humobctl.training.torch_loop import TorchTraining

USERS, DAYS, SLOTS_A_DAY = 100, 60, 13
CITIES = [DATA / "humob" / f"city{city}_100users.csv.gz" for city in "BC"]
NAMES = ("--city", "B", "--city", "C")


def operations(settings: EmbedderSettings, rows: int) -> float:
    """Floating-point operations of the matrix products of one user, additions included."""
    width, units = settings.width, settings.lstm_units
    embeddings = 8 * WAVES * width + width * width + 2 * WAVES * 4
    cross = 2 * (4 * width * width + 2 * rows * width) + 2 * width * width
    block = 12 * width * width + 2 * rows * width
    lstm = 2 * 4 * units * (width + units)
    row = embeddings + cross + settings.blocks * block + lstm
    return 2.0 * (rows * row + 2 * units * LEARNT)


def step_operations(training: TorchTraining, number: int) -> float:
    """The same of a training step: forward, and twice as many backward."""
    settings = training.recipe.settings
    (drawn,) = training.batches(number)
    encoded = sum(operations(settings, int(rows)) for rows in drawn.spans.mask.sum(dim=1))
    width, units = settings.width, settings.decoder_units
    row = 4 * units * (width + units) + units * 2 * GRID_SIDE
    place = 8 * WAVES * width + width * width + 2 * WAVES * 4
    inside, following = (int(part.mask.sum()) for part in (drawn.inside, drawn.following))
    vectors = 2 * len(drawn.spans.mask) * EMBEDDING_SIZE * width
    decoded = 2.0 * ((inside + following) * row + following * place + vectors)
    return 3 * (encoded + decoded)


def speed() -> str:
    """``embed`` and training steps at the default size, in turn with a product of two matrices."""
    settings = EmbedderSettings()
    torch.manual_seed(0)
    trained = TrainedEmbedder("random", settings, ["city"], Encoder(settings, 1).eval(), [], [])
    random = np.random.default_rng(0)
    counts = random.integers(SLOTS_A_DAY // 2, 2 * SLOTS_A_DAY - SLOTS_A_DAY // 2 + 1, USERS) * DAYS
    uid = np.repeat(np.arange(USERS), counts)
    place = np.concatenate([np.arange(count) for count in counts])
    frame = pl.DataFrame({"uid": uid, "d": place // 24 % 75, "t": place % 48}).with_columns(
        x=pl.Series(random.integers(1, 201, len(uid))),
        y=pl.Series(random.integers(1, 201, len(uid))),
    )
    work = sum(operations(settings, int(count)) for count in counts)
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    lines = []
    with EmbedderColumns() as rows:
        rows.add(frame, 1)
        rows.close_columns()
        for precision, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
            left, right = a.to(kind), b.to(kind)
            asked = EmbedOptions(precision=precision)
            recipe = EmbedderRecipe(replace(settings, precision=precision), paths=[])
            nobody = np.zeros(0, np.int64)
            data = EmbedderData(rows, np.arange(USERS), nobody, ["city"], [])
            training = recipe.start(data, "cpu", Group())
            embedding, step, product = interleaved(
                lambda asked=asked: embed_rows(rows, trained, asked),
                training.advance,
                lambda left=left, right=right: left @ right,
                runs=5,
            )
            a_step = float(np.mean([step_operations(training, i) for i in range(training.step)]))
            own = 2 * 2048.0**3 / product / 1e9
            users = settings.batch_size
            for name, flop, count, seconds in (
                ("embed", work, USERS, embedding),
                ("a training step", a_step, users, step),
            ):
                reached = flop / seconds / 1e9
                figures = (flop / count / 1e9, count / seconds, reached, own, reached / own)
                digits = (2, 1, 0, 0, 2)
                row = [f"{x:.{n}f}" for x, n in zip(figures, digits, strict=True)]
                lines.append((name, precision, *row))
    head = ("", "precision", "GFLOP a user", "users/s", "GFLOP/s", "of a matrix product", "ratio")
    return markdown(head, lines)


def scores() -> str:
    """Re-identification and probes with the contrastive loss, without, and alone."""
    synth = WORK / "embedder-synth.parquet"
    humobctl = (sys.executable, "-m", "humobctl")
    if not synth.is_file():
        command = ("data", "synth", "--users", "1500", "--seed", "11", "--output", synth)
        subprocess.run([*humobctl, *command], check=True)
    models = []
    for name, objective, files in (
        ("both", "both", [*CITIES, synth]),
        ("contrast", "contrast", [*CITIES, synth]),
        ("reconstruct", "reconstruct", [*CITIES, synth]),
        ("both-two-cities", "both", CITIES),
    ):
        folder = WORK / f"embedder-{name}"
        more = ("--city", "synth") if len(files) > 2 else ()
        command = ("train", "embedder", *files, *NAMES, *more, "--objective", objective)
        options = ("--train-fraction", "0.5", "--precision", "bf16", "-o", folder)
        if not folder.is_dir():
            subprocess.run([*humobctl, *command, *options], check=True)
        models += ["--model", folder]
    done = subprocess.run(
        [*humobctl, "eval", "embedding", *CITIES, *NAMES, *models],
        check=True,
        capture_output=True,
        text=True,
    )
    found = json.loads(done.stdout)
    lines = [
        (score["metric"], *(f"{one['scores'][index]['value']:.3f}" for one in found))
        for index, score in enumerate(found[0]["scores"])
    ]
    titles = [one["method"].rpartition("embedder-")[2] for one in found]
    return markdown(("metric", *titles), lines)
