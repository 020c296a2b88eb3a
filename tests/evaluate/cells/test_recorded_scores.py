"""Agreement with the scores that the authors of two published models recorded (humob24)."""

from __future__ import annotations

import polars as pl
import pytest

from humobctl.evaluate.cells.run import CellEvalSettings, Evaluator

# Mean over the 100 users, from the data's README: GEO-BLEU and DTW km, humob24 and humob25.
PUBLISHED = {
    ("B", "llama3-8b-mob"): (0.3541, 0.2378, 25.39, 49.13),
    ("B", "lp-bert"): (0.3093, 0.2018, 23.30, 45.49),
    ("C", "llama3-8b-mob"): (0.2969, 0.1991, 20.57, 41.81),
    ("C", "lp-bert"): (0.2682, 0.1762, 23.82, 42.36),
}
COLUMNS = {"llama3-8b-mob": "llama", "lp-bert": "lpbert"}


@pytest.mark.parametrize(("city", "model"), list(PUBLISHED))
def test_every_user_agrees(shared_data, city, model):
    folder = shared_data / "humob"
    predicted = str(folder / f"city{city}_{model}.csv.gz")
    evaluator = Evaluator(
        [predicted], str(folder / f"city{city}_100users.csv.gz"), CellEvalSettings()
    )
    list(evaluator.run())
    (result,) = evaluator.evaluations
    recorded = pl.read_csv(folder / f"city{city}_recorded_scores.csv").with_columns(
        pl.col("uid").cast(pl.UInt32)
    )
    both = result.users.join(recorded, on="uid", validate="1:1")
    assert both.height == 100
    name = COLUMNS[model]
    dtw = (both["dtw_humob24"] - both[f"{name}_dtw_km"]).abs()
    geobleu = both["geobleu_humob24"] - both[f"{name}_geobleu"]
    assert dtw.max() < 1e-9
    assert geobleu.abs().max() < 1e-3
    assert abs(geobleu.mean()) < 2e-5
    means = [result.value(m) for m in result.metrics[:4]]
    expected = PUBLISHED[city, model]
    assert means[:2] == pytest.approx(expected[:2], abs=5e-5)
    assert means[2:] == pytest.approx(expected[2:], abs=5e-3)
