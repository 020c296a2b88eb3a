"""People of ATUS, IPUMS and the American Community Survey as profiles."""

from __future__ import annotations

import io
from itertools import pairwise

import polars as pl
import pytest

from humobctl.data.importers.surveys import SURVEYS, codebook, find_survey
from humobctl.intend.planner.config import LIKING, OCCUPATIONS
from humobctl.tables.schemas import NOT_EMPLOYED
from tests.messages import fails, says

ATUS = """TUCASEID,TULINENO,PEEDUCA,PRTAGE,PEMLR,PESEX,PRDTOCC1,HEFAMINC,TUFINLWGT,TUDIARYDAY
20190101190001,1,43,40,1,2,3,14,8155462.67,1
20190101190001,2,39,15,7,1,-1,14,1.4,1
20190101190001,3,32,14,-1,1,-1,14,7,1
20190101190004,1,46,35,2,1,8,-2,2.5,7
20190101190005,1,50,80,5,3,-1,1,-1,7
"""
CENSUS = """YEAR,SERIAL,PERNUM,PERWT,SEX,AGE,MARST,EDUC,EMPSTAT,OCC2010,INCTOT
2019,1,1,51.0,1,45,1,10,1,1020,90000
2019,1,2,40.0,2,43,1,11,3,0,9999999
2019,2,1,120.0,1,70,4,0,2,4720,12000
"""
ACS = "SERIALNO,SPORDER,PWGTP,AGEP,SEX,SCHL,ESR,OCCP\n2019GQ1,1,12,30,2,22,1,2310\n"
IPUMS_ATUS = "caseid,pernum,age,sex,educ,empstat,occ2,activity\n"
IPUMS_ATUS += "7,1,30,01,040,01,0160,10101\n7,1,30,01,040,01,0160,20101\n7,2,9,02,999,99,9999,1\n"


def imported(cli, text: str) -> tuple[list[tuple], str]:
    done = cli("data", "import", input=text)
    assert done.code == 0, done.err
    return pl.read_csv(io.StringIO(done.out)).drop("^(home|work)_.*$").rows(), done.err


def test_the_american_time_use_survey(cli) -> None:
    rows, err = imported(cli, ATUS)
    # Ranks of income among 1, 14 and 14: 1/6 and 2/3, of cumulated .07 .25 .78 .99 1.
    assert rows == [
        (0, "Bachelor's degree", "woman", "medium", "IT Engineer", 8_155_463),
        (1, "High school diploma", "man", "medium", NOT_EMPLOYED, 1),
        (2, "Doctoral degree", "man", "uncertain", "Teacher", 2),
        (3, "uncertain", "uncertain", "slightly low", NOT_EMPLOYED, 0),
    ]
    says(err, "education from PEEDUCA", "who works from PEMLR", "HEFAMINC", "TUFINLWGT")
    says(err, "1 code of PEEDUCA", "such as 50")
    says(err, "1 code of PESEX", "such as 3")
    says(err, "1 row of people under 15 left out")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ACS, [(0, "Master's degree", "woman", "uncertain", "Teacher", 12)]),
        (IPUMS_ATUS, [(0, "Bachelor's degree", "man", "uncertain", "Technical Worker")]),
        (
            CENSUS,
            [
                (0, "Bachelor's degree", "man", "medium", "IT Engineer", 51),
                (1, "Master's degree", "woman", "uncertain", NOT_EMPLOYED, 40),
                (2, "uncertain", "man", "slightly low", NOT_EMPLOYED, 120),
            ],
        ),
    ],
)
def test_censuses_and_ipums(cli, text, expected) -> None:
    rows, err = imported(cli, text)
    assert rows == expected
    assert "not known" not in err


def test_plans_of_a_survey(cli, tmp_path) -> None:
    (tmp_path / "census.csv").write_text(CENSUS)
    done = cli("intend", "census.csv", "--days", "14", cwd=tmp_path)
    says(done.err, "census.csv", "ipums-usa", "education from EDUC", "211 people")
    plans = pl.read_csv(io.StringIO(done.out))
    assert plans["uid"].unique().to_list() == [0, 1, 2]
    at_work = plans.filter(pl.col("intent") == "go to work")
    assert at_work["uid"].unique().to_list() == [0]  # the others are not employed
    assert at_work["d"].n_unique() > 5
    who = ("--count", "50", "--people", "-", "-o", "plans.csv")
    drawn = cli("intend", "-", *who, input=CENSUS, cwd=tmp_path)
    people = pl.read_csv(io.StringIO(drawn.out))
    assert people["uid"].to_list() == list(range(50))
    assert (people["occupation"] == NOT_EMPLOYED).sum() > 25  # 160 of 211


def test_what_says_nothing_of_people(cli) -> None:
    for command in (("data", "import"), ("intend",)):
        fails(cli(*command, input="TUCASEID,TUACTIVITY_N\n1,1\n"), "sex, education", "activities")
        fails(cli(*command, input="TUCASEID,TESEX\n1,x\n"), "column TESEX", "'x'")
    fails(cli("intend", input="TUCASEID,TEAGE,TESEX\n1,9,1\n"), "no person", "15 years")


def test_other_tables_are_none_of_these() -> None:
    assert find_survey(["uid", "education", "gender", "consumption", "occupation"]) is None
    assert find_survey(["SERIAL", "PERNUM", "CPSID", "EDUC"]) is None  # other codes
    assert find_survey(["SERIAL", "PERNUM"]) == "ipums-usa"


@pytest.mark.parametrize("survey", SURVEYS)
def test_codes_become_what_the_planner_knows(survey) -> None:
    book = codebook(survey)
    known = {
        "education": {*LIKING["education"], "High school diploma", "associate degree"},
        "gender": {"man", "woman"},
        "occupation": {*OCCUPATIONS},
        "employment": {"employed", NOT_EMPLOYED},
    }
    for attribute, values in known.items():
        ranges = sorted(book.values[attribute])
        assert {name for _, _, name in ranges} <= {*values, None}
        assert all(first[1] < second[0] for first, second in pairwise(ranges))
        assert all(low <= high for low, high, _ in ranges)
