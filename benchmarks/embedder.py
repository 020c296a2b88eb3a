"""The embedder: operations a second beside the machine's own, and scores of what it learns."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import polars as pl
import torch

from benchmarks.harness import DATA, WORK, interleaved, markdown
from humobctl.data.schemas import EMBEDDING_SIZE
from humobctl.models.embedder.config import Settings
from humobctl.models.embedder.infer import Asked, embed_rows
from humobctl.models.embedder.model import WAVES, Encoder
from humobctl.models.embedder.run import Trained
from humobctl.models.embedder.windows import Rows

USERS, DAYS, SLOTS_A_DAY = 100, 60, 13
CITIES = [DATA / "humob" / f"city{city}_100users.csv.gz" for city in "BC"]
NAMES = ("--city", "B", "--city", "C")


def operations(settings: Settings, rows: int) -> float:
    """Floating-point operations of the matrix products of one user, additions included."""
    width, units = settings.width, settings.lstm_units
    embeddings = 8 * WAVES * width + width * width + 2 * WAVES * 4
    cross = 2 * (4 * width * width + 2 * rows * width) + 2 * width * width
    block = 12 * width * width + 2 * rows * width
    lstm = 2 * 4 * units * (width + units)
    row = embeddings + cross + settings.blocks * block + lstm
    return 2.0 * (rows * row + 2 * units * EMBEDDING_SIZE)


def speed() -> str:
    """``embed`` at the default size beside a product of two matrices, in turn."""
    settings = Settings()
    torch.manual_seed(0)
    trained = Trained("random", settings, ["city"], Encoder(settings, 1).eval(), [], [])
    random = np.random.default_rng(0)
    counts = random.integers(SLOTS_A_DAY // 2, 2 * SLOTS_A_DAY - SLOTS_A_DAY // 2 + 1, USERS) * DAYS
    uid = np.repeat(np.arange(USERS), counts)
    place = [np.concatenate([np.arange(count) for count in counts])]
    frame = pl.DataFrame({"uid": uid, "d": place[0] // 24 % 75, "t": place[0] % 48}).with_columns(
        x=pl.Series(random.integers(1, 201, len(uid))),
        y=pl.Series(random.integers(1, 201, len(uid))),
    )
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    work = sum(operations(settings, int(count)) for count in counts)
    lines = []
    with Rows() as rows:
        rows.add(frame, 1)
        rows.close_columns()
        for precision, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
            left, right = a.to(kind), b.to(kind)
            asked = Asked(precision=precision)
            embedding, product = interleaved(
                lambda asked=asked: embed_rows(rows, trained, asked),
                lambda left=left, right=right: left @ right,
                runs=3,
            )
            own, reached = 2 * 2048.0**3 / product / 1e9, work / embedding / 1e9
            lines.append(
                (
                    precision,
                    f"{work / USERS / 1e9:.2f}",
                    f"{USERS / embedding:.1f}",
                    f"{reached:.0f}",
                    f"{own:.0f}",
                    f"{reached / own:.2f}",
                )
            )
    head = ("precision", "GFLOP a user", "users/s", "GFLOP/s", "of a matrix product", "ratio")
    return markdown(head, lines)


def scores() -> str:
    """Re-identification and probes with the contrastive loss, without, and alone."""
    WORK.mkdir(exist_ok=True)
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
        options = ("--train-share", "0.5", "--precision", "bf16", "-o", folder)
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
