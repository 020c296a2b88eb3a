"""`predict` through the real command line."""

from __future__ import annotations

import gzip
import re
import shutil

import polars as pl
import pytest

from humobctl.evaluate.cells.run import CellEvalSettings, Evaluator
from humobctl.io import by_user as users_module
from humobctl.io.read import read_table
from humobctl.predict import submission
from humobctl.predict.base import PredictOptions, Prompting
from humobctl.predict.flow_series.registry import FLOW_MODELS
from humobctl.predict.next.registry import BASELINES
from humobctl.predict.next.registry import TRAINED as NEXT_TRAINED
from humobctl.predict.registry import MODELS, TRAINED
from humobctl.predict.run import PredictJob, PredictTally, about, predict
from tests.messages import fails, says
from tests.predict.helpers import city


@pytest.fixture
def workdir(few_people, tmp_path):
    """A few people are enough."""
    shutil.copytree(few_people, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_the_masked_rows_come_out_filled(cli, workdir):
    done = cli("predict", "challenge.csv", cwd=workdir)
    assert (done.code, done.err) == (0, "")
    (workdir / "out.csv").write_text(done.out)
    challenge, out = (read_table(str(workdir / n)) for n in ("challenge.csv", "out.csv"))
    masked = challenge.filter(pl.col("x") == 999).select("uid", "d", "t")
    assert out.select("uid", "d", "t").equals(masked.sort("uid", "d", "t"))
    assert out["x"].max() <= 200
    assert out["y"].max() <= 200


def test_the_seed_draws_the_days_of_the_decoder(cli, workdir):
    first, again, other = (
        cli("predict", "challenge.csv", "--seed", seed, cwd=workdir).out for seed in "001"
    )
    assert first == again != other


def test_full_keeps_every_row_and_every_known_cell(cli, workdir):
    done = cli("predict", "challenge.csv", "--full", "-o", "full.parquet", cwd=workdir)
    assert (done.code, done.out) == (0, "")
    full = read_table(str(workdir / "full.parquet"))
    challenge = read_table(str(workdir / "challenge.csv")).sort("uid", "d", "t")
    assert full.select("uid", "d", "t").equals(challenge.select("uid", "d", "t"))
    known = challenge["x"] != 999
    assert full.filter(known).equals(challenge.filter(known))
    assert not (full["x"] == 999).any()


def test_from_day_predicts_the_same_without_a_mask(cli, workdir):
    masked = cli("predict", "challenge.csv", cwd=workdir)
    days = cli("predict", "city.csv", "--from-day", "60", "--to-day", "74", cwd=workdir)
    assert days.code == 0
    assert days.out == masked.out


@pytest.mark.parametrize("model", list(MODELS))
def test_days_after_the_last_one_are_not_read(cli, workdir, model):
    days = ("--from-day", "30", "--to-day", "44", "--model", model)
    whole = read_table(str(workdir / "city.csv")).filter(pl.col("uid") < 2)
    whole.write_csv(workdir / "city.csv")
    whole.filter(pl.col("d") <= 44).write_csv(workdir / "past.csv")
    past = cli("predict", "past.csv", *days, cwd=workdir)
    done = cli("predict", "city.csv", *days, cwd=workdir)
    both = cli("predict", "city.csv", *days, "--use-future", cwd=workdir)
    assert past.err == both.err == ""
    assert done.out == past.out != both.out
    later = whole.filter(pl.col("d") > 44).height
    says(done.err, "city.csv", later, "after day 44", "--use-future")
    one = (*days, "--explain", "3", "--format", "csv")
    why = [cli("predict", name, *one, cwd=workdir) for name in ("city.csv", "past.csv")]
    assert why[0].out == why[1].out


@pytest.mark.parametrize("model", list(MODELS))
@pytest.mark.parametrize("how", ["geobleu", "dtw", "argmax", "sample"])
def test_every_model_with_every_decoder(workdir, model, how):
    job = PredictJob(model, how)
    once, again = (
        pl.concat(list(predict(str(workdir / "challenge.csv"), job, PredictTally())))
        for _ in range(2)
    )
    assert once.equals(again)
    assert once["x"].is_between(1, 200).all()


def test_a_store_on_disk_predicts_the_same(workdir, monkeypatch):
    path = str(workdir / "challenge.csv")
    whole = pl.concat(list(predict(path, PredictJob(), PredictTally())))
    monkeypatch.setattr(users_module, "IN_MEMORY_ROWS", 2000)
    monkeypatch.setattr(users_module, "GROUP_ROWS", 3000)
    monkeypatch.setenv("HUMOBCTL_PART_ROWS", "500")
    parts = list(predict(path, PredictJob(), PredictTally()))
    assert len(parts) > 2
    assert pl.concat(parts).equals(whole)


def test_models_are_listed(cli):
    done = cli("predict", "--list-models")
    assert done.code == 0
    head, *rows = [line.split("\t") for line in done.out.splitlines()]
    assert {len(row) for row in (head, *rows)} == {5}
    named = [(name, fills) for name, fills, *_ in rows if not name.startswith("DIR of ")]
    masked = [(name, "masked cells") for name in MODELS]
    masked += [(name, "hidden days of flows") for name in FLOW_MODELS]
    assert named == masked + [(name, "next places") for name in BASELINES]
    trained = [(name.split()[3].rstrip(","), fills) for name, fills, *_ in rows if "DIR" in name]
    assert {name for name, fills in trained if fills == "masked cells"} == {*TRAINED, "llama"}
    assert {f"next-{name}" for name in ("ranker", "gru")} == NEXT_TRAINED.keys()
    assert [name for name, task in trained if task == "next places"] == ["next", "next-gru"]


@pytest.mark.parametrize(
    ("arguments", "code", "names"),
    [
        (["city.csv"], 1, ("city.csv", "no row")),
        (["city.csv", "--from-day", "0"], 1, ("city.csv", "no known cell")),
        (["challenge.csv", "--model", "oracle"], 2, ("oracle", "history")),
        (["challenge.csv", "--to-day", "70"], 2, ("--to-day", "--from-day")),
        (["challenge.csv", "--use-future"], 2, ("--use-future", "--from-day", "--to-day")),
        (["city.csv", "--from-day", "70", "--to-day", "60"], 2, ("--to-day", 60, 70, "--from-day")),
        (["challenge.csv", "--city", "tokyo"], 2, ("--city", "tokyo", "leave --city out")),
        (["nowhere.csv"], 1, ("nowhere.csv", "no such file")),
    ],
)
def test_what_cannot_be_done_is_one_line(cli, workdir, arguments, code, names):
    done = cli("predict", *arguments, cwd=workdir)
    assert done.out == ""
    fails(done, *names, code=code)


def test_users_without_history_are_answered_and_counted(cli, tmp_path):
    rows = ["uid,d,t,x,y", "1,0,20,50,60", "1,0,21,50,61", "1,60,20,999,999", "2,60,20,999,999"]
    (tmp_path / "c.csv").write_text("\n".join(rows) + "\n")
    done = cli("predict", "c.csv", cwd=tmp_path)
    assert done.code == 0
    assert done.out.splitlines()[1:] == ["1,60,20,50,60", "2,60,20,50,60"]
    says(done.err, "1 of 2 users", "without a known cell")


def line(number, pattern, replacement):
    """Changes one line (counted from 1) of a text."""

    def change(text):
        lines = text.splitlines()
        lines[number - 1] = re.sub(pattern, replacement, lines[number - 1], count=1)
        return "\n".join(lines) + "\n"

    return change


def reordered(text):
    """The columns y and x changed over, as the header says."""
    return re.sub(r"(\w+),(\w+)\n", r"\2,\1\n", text)


STRICT = {
    "float": (line(4, r"$", ".0"), ("row 3", "line 4")),
    "quoted": (line(4, r"(\d+)$", r'"\1"'), ("row 3", "line 4")),
    "quoted header": (line(1, "uid", '"uid"'), ("line 1", "'\"uid\",d,t,x,y'", "header")),
    "leading blank": (line(2, "^", " "), ("row 1", "line 2", "' ")),
    "blank after a comma": (line(2, ",", ", "), ("row 1", "line 2")),
    "plus": (line(2, ",", ",+"), ("row 1", "line 2")),
    "six fields": (line(2, "$", ",1"), ("row 1", "line 2")),
    "trailing comma": (line(2, "$", ","), ("row 1", "line 2")),
    "other digits": (line(2, "$", "٣"), ("row 1", "line 2")),
    "columns in another order": (reordered, ("line 1", "'uid,d,t,y,x'", "header")),
    "another header": (line(1, "uid", "user"), ("line 1", "'user,d,t,x,y'", "header")),
    "byte order mark": (lambda text: "\ufeff" + text, ("line 1", "byte order mark")),
    "header twice": (lambda text: text[:12] + text, ("row 1", "line 2", "'uid,d,t,x,y'")),
    "blank line": (line(4, "^", "\n"), ("row 3", "line 4", "blank line", "five whole numbers")),
    "blank first line": (lambda text: "\n" + text, ("line 1", "blank line", "header")),
    "blank last line": (lambda text: text + "\n", ("blank line",)),
}


class TestValidate:
    """A submission against its challenge file."""

    def check(self, cli, workdir, change):
        header, *lines = (workdir / "predicted.csv").read_text().splitlines()
        (workdir / "s.csv").write_text("\n".join([header, *change(lines)]) + "\n")
        done = cli("predict", "challenge.csv", "--validate", "s.csv", cwd=workdir)
        assert done.out == ""
        assert done.err.count("\n") == 1
        return done

    def test_a_valid_one(self, cli, workdir):
        done = self.check(cli, workdir, lambda lines: lines)
        assert done.code == 0
        says(done.err, "s.csv", "valid", "8 users")

    def test_without_header(self, cli, workdir):
        lines = (workdir / "predicted.csv").read_text().splitlines()[1:]
        (workdir / "s.csv").write_text("\n".join(lines) + "\n")
        assert cli("predict", "challenge.csv", "--validate", "s.csv", cwd=workdir).code == 0

    @pytest.mark.parametrize("change", STRICT)
    def test_what_validators_refuse_to_read(self, cli, workdir, change):
        text = (workdir / "predicted.csv").read_text()
        edit, names = STRICT[change]
        (workdir / "s.csv").write_text(edit(text))
        done = cli("predict", "challenge.csv", "--validate", "s.csv", cwd=workdir)
        fails(done, "s.csv", *names)

    @pytest.mark.parametrize("ending", ["parquet", "arrow", "ndjson"])
    def test_other_formats_are_not_taken(self, cli, workdir, ending):
        cli("data", "import", "predicted.csv", "-o", f"s.{ending}", cwd=workdir)
        done = cli("predict", "challenge.csv", "--validate", f"s.{ending}", cwd=workdir)
        fails(done, f"s.{ending}", ending, "CSV", ".csv.gz")

    @pytest.mark.parametrize("block", [16 << 20, 1000, 7])
    def test_what_validators_read(self, workdir, monkeypatch, block):
        monkeypatch.setattr("humobctl.io.text.BLOCK_BYTES", block)
        text = (workdir / "predicted.csv").read_bytes()
        lines = text.count(b"\n") - 1
        cut = slice(None, text.index(b"\n", 3000))  # else blocks of 7 bytes would take long
        (workdir / "s.csv.gz").write_bytes(gzip.compress(text[cut].replace(b"\n", b"\r\n")))
        read = pl.concat(submission._read_ordered(str(workdir / "s.csv.gz")))
        want = pl.read_csv(workdir / "predicted.csv", n_rows=read.height)
        assert 100 < read.height < lines
        assert read.rows() == want.rows()

    def test_a_missing_row(self, cli, workdir):
        done = self.check(cli, workdir, lambda lines: lines[:5] + lines[6:])
        fails(done, "s.csv", "lacks 1 row")

    def test_an_extra_row(self, cli, workdir):
        first = read_table(str(workdir / "city.csv")).row(0)
        extra = ",".join(map(str, first))
        done = self.check(cli, workdir, lambda lines: [extra, *lines])
        fails(done, "s.csv", "unasked 1 row")

    def test_a_missing_user(self, cli, workdir):
        done = self.check(cli, workdir, lambda lines: [x for x in lines if not x.startswith("3,")])
        fails(done, "s.csv", "lacks 1 user", "uid 3")

    def test_rows_out_of_order(self, cli, workdir):
        done = self.check(cli, workdir, lambda lines: [lines[1], lines[0], *lines[2:]])
        fails(done, "s.csv", "row 2", "(uid, d, t)", "order")

    def test_a_masked_cell(self, cli, workdir):
        def mask(lines):
            return [*lines[:3], ",".join([*lines[3].split(",")[:3], "999", "999"]), *lines[4:]]

        done = self.check(cli, workdir, mask)
        fails(done, "s.csv", "row 4", "column x, y", 999)


@pytest.mark.parametrize(("city", "least"), [("B", 0.357), ("C", 0.326)])
def test_the_history_model_reaches_its_floor(cli, shared_data, tmp_path, city, least):
    """Of the first 30 users, .3625 in B and .3316 in C when this was written."""
    challenge, truth = (
        pl.read_csv(shared_data / "humob" / f"city{city}_{name}.csv.gz")
        for name in ("challenge", "100users")
    )
    first = challenge["uid"].unique().sort().head(30).implode()
    for name, table in (("challenge.csv", challenge), ("truth.csv", truth)):
        table.filter(pl.col("uid").is_in(first)).write_csv(tmp_path / name)
    done = cli("predict", "challenge.csv", "-o", "p.csv", cwd=tmp_path)
    assert done.code == 0
    settings = CellEvalSettings(names=("geobleu",))
    evaluator = Evaluator([str(tmp_path / "p.csv")], str(tmp_path / "truth.csv"), settings)
    list(evaluator.run())
    (result,) = evaluator.evaluations
    assert result.users.height == 30
    assert result.value(result.metrics[0]) >= least


def test_from_challenge_to_scores_in_one_pipe(cli, shared_data):
    folder = shared_data / "humob"
    plain = ("--model", "slot-mode", "--decode", "argmax")
    predicted = cli("predict", folder / "cityB_challenge.csv.gz", *plain)
    truth = folder / "cityB_100users.csv.gz"
    done = cli("eval", "-", "--truth", truth, "-f", "table", input=predicted.raw)
    assert done.code == 0
    assert "100 users, 1,398 user-days, days 60-74" in done.out


def test_a_submission_whose_days_are_shifted(cli, workdir):
    rows = pl.read_csv(workdir / "predicted.csv")
    rows.with_columns(d=pl.col("d") + 1).write_csv(workdir / "from1.csv")
    validate = ("predict", "challenge.csv", "--validate", "from1.csv")
    fails(cli(*validate, cwd=workdir), "from1.csv", "lacks", "--shift-days -1")
    done = cli(*validate, "--shift-days", "-1", cwd=workdir)
    assert done.code == 0
    says(done.err, "--shift-days -1", "organisers")


def test_resume_knows_a_language_model_by_its_content(tmp_path):
    """Model and base by their files; a model that a server has, by its name alone."""

    def files(**prompting) -> list[str]:
        options = PredictOptions(prompting=Prompting(**prompting))
        job = PredictJob(model=str(tmp_path / "adapter"), options=options)
        return about(job, city(), 1)["model files"]

    for name in ("adapter", "base"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    before = files(base=str(tmp_path / "base"))
    (tmp_path / "base" / "config.json").write_text('{"a": 1}')
    after = files(base=str(tmp_path / "base"))
    assert before[0] == after[0]
    assert before[1] != after[1]
    served = PredictJob(model="no/such/folder", options=PredictOptions())
    assert about(served, city(), 1)["model files"] == []
