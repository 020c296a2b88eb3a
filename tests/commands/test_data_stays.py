"""``data stays``: points in, visits and pairs of home and work out."""

from __future__ import annotations

import datetime as dt
import itertools
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import humobctl as hm
from humobctl.data.stays import run
from humobctl.io import by_user
from tests.conftest import Cli
from tests.messages import fails, says
from tests.plots.svg import texts

HOME, WORK = (60.17, 24.93), (60.2, 24.96)
MONDAY = dt.datetime(2026, 1, 5)


def fixes(begin: str, end: str, place: tuple[float, float], day: int = 0) -> list[str]:
    """Lines of a fix every ten minutes."""
    first, last = (dt.timedelta(hours=int(t[:2]), minutes=int(t[3:])) for t in (begin, end))
    midnight, lines = MONDAY + dt.timedelta(days=day), []
    while first <= last:
        lines.append(f"ann,{midnight + first},{place[0]},{place[1]}")
        first += dt.timedelta(minutes=10)
    return lines


DAY = [
    *fixes("00:00", "07:50", HOME),
    *fixes("08:20", "16:00", WORK),
    *fixes("22:00", "24:20", HOME),
    *fixes("01:00", "01:10", (60.3, 25.0), day=1),
]
# Seen again only after 30 min and 6 h: with a gap of 40 min the way to work is bridged.
WIDE = ("--gap", "40")


def write(folder: Path, lines: list[str], header: str = "uid,datetime,lat,lon") -> None:
    (folder / "points.csv").write_text("\n".join([header, *lines, ""]))


def test_visits_and_pairs_by_hand(tmp_path: Path, cli: Cli) -> None:
    write(tmp_path, DAY)
    done = cli(
        *("data", "stays", "points.csv", *WIDE, "-o", "v.csv", "--home-work", "p.csv"),
        *("--locations", "l.csv", "--uid-map", "u.csv"),
        cwd=tmp_path,
    )
    assert done.code == 0, done.err
    # At work until 16:00 there is no next fix within the gap, so that no stay is seen to end.
    assert (tmp_path / "v.csv").read_text().splitlines() == [
        "uid,d,seq,intent,start_min,end_min,place_id,lat,lon,started_at,finished_at",
        "0,0,0,go home,0,500,0-0,60.17,24.93,2026-01-05T00:00:00.000000,2026-01-05T08:20:00.000000",
        "0,0,1,go home,1320,1440,0-0,60.17,24.93,"
        "2026-01-05T22:00:00.000000,2026-01-06T01:00:00.000000",
        "0,1,0,go home,0,60,0-0,60.17,24.93,2026-01-05T22:00:00.000000,2026-01-06T01:00:00.000000",
    ]
    says(done.err, "day 0", "2026-01-05", "1 user")
    says(done.err, "2 stays", "1 location", "1 home", "0 works")
    assert pl.read_csv(tmp_path / "p.csv").height == 0
    assert pl.read_csv(tmp_path / "l.csv").rows() == [(0, "0-0", 60.17, 24.93, "go home", 2, 680.0)]
    assert (tmp_path / "u.csv").read_text() == "uid,name\n0,ann\n"


def test_pairs_feed_generate_and_visits_feed_eval(tmp_path: Path, cli: Cli) -> None:
    write(
        tmp_path, [*DAY, *fixes("08:00", "15:00", WORK, day=2), *fixes("15:10", "15:20", HOME, 2)]
    )
    stays = cli(
        *("data", "stays", "points.csv", *WIDE, "-o", "v.csv", "--home-work", "p.csv"),
        cwd=tmp_path,
    )
    assert stays.code == 0, stays.err
    assert pl.read_csv(tmp_path / "p.csv").to_dicts() == [
        {
            **{"id": 0, "home_lat": 60.17, "home_lon": 24.93, "work_lat": 60.2, "work_lon": 24.96},
            **{"home_days": 2, "work_days": 1, "home_confidence": 1.0, "work_confidence": 1.0},
        }
    ]
    (tmp_path / "plan.csv").write_text(
        "uid,d,seq,intent,start_min,end_min\n1,0,0,go home,0,500\n1,0,1,go to work,500,900\n"
    )
    (tmp_path / "places.csv").write_text("place_id,lat,lon\na,60.4,25.1\n")
    made = cli(
        *("generate", "gravity", "plan.csv", "--places", "places.csv", "--home-work", "p.csv"),
        cwd=tmp_path,
    )
    assert made.code == 0, made.err
    assert [line.split(",")[-2:] for line in made.out.splitlines()[1:]] == [
        ["60.17", "24.93"],
        ["60.2", "24.96"],
    ]
    same = cli("eval", "v.csv", "--truth", "v.csv", "--generated", cwd=tmp_path)
    assert same.code == 0, same.err


def test_filters_count_what_they_leave_out(tmp_path: Path, cli: Cli) -> None:
    lines = [f"{line},20" for line in fixes("00:00", "01:00", HOME)]
    bad = [
        "ann,2026-01-05 00:02:00,0,0,20",
        "ann,2026-01-05 00:03:00,48.8,2.3,20",
        "ann,2026-01-05 00:04:00,60.5,24.93,20",
        "ann,2026-01-05 00:05:00,60.1702,24.93,2000",
        lines[0],
    ]
    more = ["ann,2026-01-05 01:10:00,60.18,24.93,"]
    write(tmp_path, [*lines, *bad, *more], "uid,datetime,lat,lon,horizontal_accuracy")
    done = cli(
        *("data", "stays", "points.csv", "--box", "59,24,61,26", "--accuracy", "100"),
        *("--max-speed", "200"),
        cwd=tmp_path,
    )
    assert done.code == 0, done.err
    (visit,) = done.out.splitlines()[1:]
    assert visit.startswith("0,0,0,go home,0,70,0-0,60.17,24.93,2026-01-05T00:00:00")
    says(done.err, "1", "latitude 0", "longitude 0", "--keep-zero")
    says(done.err, "12 points", "1 outside the box", "1 repeated", "100 m", "200 km/h")


def test_method_and_defaults_of_scikit_mobility(tmp_path: Path, cli: Cli) -> None:
    write(tmp_path, DAY)
    done = cli("data", "stays", "points.csv", "--method", "scikit-mobility", cwd=tmp_path)
    spans = [line.split(",")[4:6] for line in done.out.splitlines()[1:]]
    # Without a limit to gaps, work lasts until home is seen, and home until the next place.
    assert spans == [["0", "500"], ["500", "1320"], ["1320", "1440"], ["0", "60"]]


def test_last_stay_on_request(tmp_path: Path, cli: Cli) -> None:
    write(tmp_path, fixes("00:00", "01:00", HOME))
    none = cli("data", "stays", "points.csv", cwd=tmp_path)
    assert none.code == 0
    assert none.out.splitlines()[0].startswith("uid,d,seq,intent")
    assert len(none.out.splitlines()) == 1
    says(none.err, "warning:", "no stays", "--gap")
    kept = cli("data", "stays", "points.csv", "--include-last", cwd=tmp_path)
    assert [line.split(",")[4:6] for line in kept.out.splitlines()[1:]] == [["0", "60"]]
    wrong = cli(
        *("data", "stays", "points.csv", "--include-last", "--method", "scikit-mobility"),
        cwd=tmp_path,
    )
    fails(wrong, "--include-last", "sliding-window", code=2)


def test_times_in_utc_are_shown_in_a_zone(tmp_path: Path, cli: Cli) -> None:
    write(tmp_path, fixes("22:00", "23:00", HOME) + fixes("23:10", "23:10", WORK))
    zones = ("--source-timezone", "UTC", "--timezone", "Europe/Helsinki")
    done = cli("data", "stays", "points.csv", *zones, cwd=tmp_path)
    assert done.out.splitlines()[1].startswith(
        "0,0,0,go home,0,70,0-0,60.17,24.93,2026-01-06T00:00"
    )
    early = cli("data", "stays", "points.csv", "--start-date", "2026-01-06", cwd=tmp_path)
    fails(early, "points.csv", "2026-01-05", "2026-01-06", notes=True)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("uid,datetime,lat,lon\n1,2026-01-05 08:00,60,25\n1,noon,60,25\n", ("row 2", "noon")),
        ("uid,datetime,lat,lon\n1,2026-01-05 08:00,91,25\n", ("row 1", "column lat", "91.0")),
        ("uid,d,t,x,y\n1,0,16,5,6\n", ("grid trajectory", "point trajectory", "--grid")),
        ("uid,d,seq,start_min,end_min,lat,lon\n1,0,0,5,6,60,25\n", ("stay list", "point")),
        ("uid,lat,lon\n1,60,25\n", ("uid, lat, lon",)),
        ("uid,datetime,lat,lon\n", ("no rows",)),
    ],
)
def test_other_input_is_refused(tmp_path: Path, cli: Cli, text: str, names: tuple[str]) -> None:
    (tmp_path / "points.csv").write_text(text)
    done = cli("data", "stays", "points.csv", "-o", "v.csv", cwd=tmp_path)
    fails(done, "points.csv", *names, notes=True)
    assert not (tmp_path / "v.csv").exists()


def test_visits_are_not_taken_for_points_or_cells(tmp_path: Path, cli: Cli) -> None:
    write(tmp_path, fixes("00:00", "01:00", HOME))
    assert cli("data", "stays", "points.csv", "-o", "v.csv", cwd=tmp_path).code == 0
    predicted = cli("predict", "v.csv", cwd=tmp_path)
    fails(predicted, "v.csv", "visits", "points", "data import --grid")
    gridded = cli("data", "import", "v.csv", "--grid", "500m@60,24,50x50", cwd=tmp_path)
    fails(gridded, "--grid", "visit", "points", code=2)


def test_options_that_find_nothing_are_refused(tmp_path: Path, cli: Cli) -> None:
    write(tmp_path, fixes("00:00", "01:00", HOME))
    nowhere = cli("data", "stays", "points.csv", "--box", "0,0,1,1", cwd=tmp_path)
    fails(nowhere, "points.csv", "--box", notes=True)
    for box in ("1,2,3", "61,24,59,26", "a,b,c,d", "nan,0,1,1"):
        fails(cli("data", "stays", "points.csv", "--box", box, cwd=tmp_path), "--box", box, code=2)
    blind = cli("data", "stays", "points.csv", "--accuracy", "50", cwd=tmp_path)
    fails(blind, "points.csv", "accuracy", notes=True)


def test_outputs_beside_the_visits_are_checked_first(tmp_path: Path, cli: Cli) -> None:
    write(tmp_path, fixes("00:00", "01:00", HOME))
    for option, file, why in (
        ("--home-work", "pairs.gpx", "GPX"),
        ("--trips", "none/trips.csv", "no folder"),
    ):
        done = cli("data", "stays", "points.csv", "-o", "v.csv", option, file, cwd=tmp_path)
        assert done.code in (1, 2)
        assert file in done.err or why in done.err
        assert not (tmp_path / "v.csv").exists()
    same = cli("data", "stays", "points.csv", "-o", "v.csv", "--trips", "v.csv", cwd=tmp_path)
    fails(same, "--output", "different files", code=2)


def test_box_across_the_date_line(tmp_path: Path, cli: Cli) -> None:
    places = [(-17.0, 179.99), (-17.0, -179.99), (-17.0, 20.0)]
    write(
        tmp_path, [line for n, at in enumerate(places) for line in fixes("00:00", "00:10", at, n)]
    )
    done = cli("data", "stays", "points.csv", "--box=-20,170,-10,-170", cwd=tmp_path)
    says(done.err, "2 outside the box")


EAST = 1 / 111_195
"""Degrees of a metre on the equator."""


def on_equator(*points: tuple[int, float]) -> list[str]:
    """Fixes (minute, metres east)."""
    return [f"ann,{MONDAY + dt.timedelta(minutes=m)},0.0,{1 + east * EAST}" for m, east in points]


# Home for half an hour, 3 km with a stop of 8 minutes on the way, work until the fixes end for a
# while, and on the way again when they come back.
WAY = on_equator(
    *((0, 0), (10, 10), (20, 0), (30, 10)),
    *((33, 1000), (35, 1200), (37, 1500), (44, 1510), (45, 2500), (47, 2700)),
    *((50, 3000), (60, 3010), (70, 3000), (80, 3010)),
    *((84, 3500), (87, 3650), (200, 9000), (203, 9500), (206, 9900)),
)


def test_trips_and_legs_by_hand(tmp_path: Path, cli: Cli) -> None:
    write(tmp_path, WAY)
    files = ("--trips", "t.csv", "--trip-legs", "l.csv", "-o", "v.csv")
    done = cli("data", "stays", "points.csv", *files, cwd=tmp_path)
    assert done.code == 0, done.err
    says(done.err, "3 stays")
    says(done.err, "3 trips", "4 legs")
    trips = pl.read_csv(tmp_path / "t.csv")
    shown = trips.select("trip", "origin", "destination", "duration_min", "points")
    # The stop is not an activity; the gap ends the second trip, and nothing is known of its end.
    assert shown.rows() == [
        (0, "0-0", "0-2", 14.0, 6),
        (1, "0-2", None, 3.0, 2),
        (2, None, None, 6.0, 3),
    ]
    assert trips["started_at"].str.slice(11, 5).to_list() == ["00:33", "01:24", "03:20"]
    assert trips["distance_m"].round(1).to_list() == [1700.0, 150.0, 900.0]
    assert trips["line"][1] == f"LINESTRING ({1 + 3500 * EAST} 0.0, {1 + 3650 * EAST} 0.0)"
    assert trips["destination_lon"].to_list()[1:] == [1 + 3650 * EAST, 1 + 9900 * EAST]
    legs = pl.read_csv(tmp_path / "l.csv").select("leg", "trip", "points")
    assert legs.rows() == [(0, 0, 2), (1, 0, 2), (2, 1, 2), (3, 2, 3)]
    # To the place where the user is longest at night, and into gaps.
    assert trips["intent"].to_list() == ["go home", None, None]
    guessed = cli("data", "stays", "points.csv", "--modes", *files, cwd=tmp_path)
    assert guessed.code == 0, guessed.err
    # 200 m in 2 min, 200 m in 2 min, 150 m in 3 min, 900 m in 6 min.
    assert pl.read_csv(tmp_path / "l.csv")["mode"].to_list() == ["slow_mobility"] * 4
    longer = cli("data", "stays", "points.csv", "--trip-gap", "120", *files, cwd=tmp_path)
    says(longer.err, "2 trips", "3 legs")
    active = cli("data", "stays", "points.csv", "--activity-minutes", "5", *files, cwd=tmp_path)
    says(active.err, "4 trips", "4 legs")


def there_and_back(*places: int) -> list[str]:
    """20 minutes at each place (metres east), and two fixes on the way to the next."""
    return on_equator(
        *((30 * n + m, place) for n, place in enumerate(places) for m in range(0, 25, 5)),
        *(
            (30 * n + 21 + 3 * step, here + (there - here) * step / 3)
            for n, (here, there) in enumerate(itertools.pairwise(places))
            for step in (1, 2)
        ),
    )


def test_tours_by_hand(tmp_path: Path, cli: Cli) -> None:
    # To work, out for lunch and back, home, and away: lunch is a tour within that of the day.
    write(tmp_path, there_and_back(0, 2100, 4200, 2100, 0, 6000))
    flags = ("data", "stays", "points.csv", "-o", "v.csv", "--tours", "t.csv")
    done = cli(*flags, cwd=tmp_path)
    assert done.code == 0, done.err
    says(done.err, "5 trips", "5 legs", "2 tours")
    tours = pl.read_csv(tmp_path / "t.csv")
    shown = tours.select("uid", "tour", "place_id", "first_trip", "last_trip", "trips")
    assert shown.rows() == [(0, 0, "0-1", 1, 2, 2), (0, 1, "0-0", 0, 3, 4)]
    assert tours["started_at"].str.slice(11, 5).to_list() == ["00:54", "00:24"]
    assert tours["finished_at"].str.slice(11, 5).to_list() == ["01:27", "01:57"]
    assert tours["duration_min"].to_list() == [33.0, 93.0]
    assert tours["distance_m"].round(1).to_list() == [1400.0, 2800.0]
    for more, found in (
        (("--tour-hours", "1"), "1 tour"),
        (("--tour-distance", "100"), "2 tours"),
        # Every trip with a known end comes as near to where it began.
        (("--tour-distance", "2200"), "4 tours"),
        (("--tour-hours", "0.1"), "no tours"),
    ):
        says(cli(*flags, *more, cwd=tmp_path).err, found)
    fails(
        cli("data", "export", "t.csv", "--to", "trackintel", "-o", "x.csv", cwd=tmp_path),
        *("tour table", "points, visits"),
        code=2,
    )


def test_trips_and_legs_are_drawn(tmp_path: Path, cli: Cli) -> None:
    pytest.importorskip("matplotlib")
    write(tmp_path, WAY)
    files = {"trips": "t.csv", "trip legs": "l.csv"}
    made = cli(
        *("data", "stays", "points.csv", "-o", "v.csv", "--trips", "t.csv", "--trip-legs", "l.csv"),
        cwd=tmp_path,
    )
    assert made.code == 0, made.err
    for kind, file in files.items():
        done = cli("data", "describe", file, "--plot", "a.svg", cwd=tmp_path)
        assert done.code == 0, done.err
        drawn = " ".join(texts(tmp_path / "a.svg"))
        rows = pl.read_csv(tmp_path / file).height
        for words in (f"1 user, {rows} {kind}", "beginnings by hour", "km: median", "km/h: median"):
            assert words in drawn, drawn


def test_points_are_compressed_as_in_scikit_mobility(tmp_path: Path, cli: Cli) -> None:
    write(tmp_path, on_equator((0, 0), (10, 40), (20, 90), (30, 300), (40, 310), (50, 900)))
    flags = ("--compress", "100", "--method", "scikit-mobility", "--minutes", "25")
    done = cli("data", "stays", "points.csv", *flags, "--distance", "50", cwd=tmp_path)
    says(done.err, "3 points", "merged")
    (first,) = done.out.splitlines()[1:]
    # The median of the first three, from their first time.
    assert first.split(",")[4:6] == ["0", "30"]
    assert float(first.split(",")[8]) == pytest.approx(1 + 40 * EAST)


def test_intents_come_from_the_nearest_place(tmp_path: Path, cli: Cli) -> None:
    write(tmp_path, WAY)
    places = [
        *("place_id,intent,lat,lon", "a,go home,0,1", f"b,eat,0,{1 + 1500 * EAST}"),
        *(f"c,do sports,0,{1 + 1560 * EAST}", f"d,eat,0,{1 + 3005 * EAST}"),
    ]
    (tmp_path / "places.csv").write_text("\n".join([*places, ""]))
    flags = ("data", "stays", "points.csv", "--places", "places.csv")
    done = cli(*flags, cwd=tmp_path)
    assert [line.split(",")[3] for line in done.out.splitlines()[1:]] == ["", "eat", "go home"]
    near = cli(*flags, "--place-distance", "4", cwd=tmp_path)
    assert [line.split(",")[3] for line in near.out.splitlines()[1:]] == ["", "", "go home"]
    (tmp_path / "places.csv").write_text("place_id,lat,lon\na,0,1\n")
    fails(cli(*flags, cwd=tmp_path), "places.csv", "intent")


def test_a_check_in_is_a_stay(tmp_path: Path, cli: Cli) -> None:
    header = "uid,datetime,lat,lon,place_id,category"
    lines = [
        *("ann,2026-01-05 09:00,60.1,25.0,v1,Coffee Shop", "ann,2026-01-05 09:10,60.1,25.0,v1,"),
        *("ann,2026-01-05 09:30,60.2,25.0,v2,Gym", "ann,2026-01-05 23:50,60.1,25.0,v1,"),
    ]
    write(tmp_path, lines, header)
    done = cli("data", "stays", "points.csv", cwd=tmp_path)
    says(done.err, "check-ins")
    says(done.err, "3 stays", "2 locations")
    rows = [line.split(",")[1:7] for line in done.out.splitlines()[1:]]
    assert rows == [
        ["0", "0", "eat", "540", "550", "v1"],
        ["0", "1", "do sports", "570", "570", "v2"],
        ["0", "2", "eat", "1430", "1430", "v1"],
    ]
    hour = cli("data", "stays", "points.csv", "--check-in-minutes", "60", cwd=tmp_path)
    assert [row.split(",")[4:6] for row in hour.out.splitlines()[1:]] == [
        *(["540", "570"], ["570", "630"], ["1430", "1440"], ["0", "50"])
    ]
    trips = cli("data", "stays", "points.csv", "--trips", "t.csv", cwd=tmp_path)
    fails(trips, "--trips", "check-ins", code=2, notes=True)


def test_cells_in_a_row_are_a_stay(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "points.csv").write_text(
        "uid,d,t,x,y\n7,0,4,1,1\n7,0,5,1,1\n7,0,6,2,1\n7,0,9,2,1\n7,1,47,1,1\n7,2,0,1,1\n"
    )
    grid = ("--grid", "1km@60,25,9x9", "--axes", "east,north", "--start-date", "2026-01-05")
    done = cli("data", "stays", "points.csv", *grid, cwd=tmp_path)
    rows = [line.split(",")[1:7] for line in done.out.splitlines()[1:]]
    assert rows == [
        ["0", "0", "go home", "120", "180", "7-0"],
        ["0", "1", "", "180", "210", "7-1"],
        ["0", "2", "", "270", "300", "7-1"],
        ["1", "0", "go home", "1410", "1440", "7-0"],
        ["2", "0", "go home", "0", "30", "7-0"],
    ]
    fails(cli("data", "stays", "points.csv", *grid[:2], cwd=tmp_path), "--axes", code=2)


def test_one_id_for_many_people_is_warned_of(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "ONE_FOR_MANY", 5)
    write(tmp_path, [*fixes("00:00", "01:00", HOME), "bob,2026-01-05 00:00,60.1,25"])
    done = cli("data", "stays", "points.csv", cwd=tmp_path)
    says(done.err, "warning:", "ann", "7 of 8 points", "--columns")
    monkeypatch.setattr(run, "ONE_FOR_MANY", 8)
    quiet = cli("data", "stays", "points.csv", cwd=tmp_path)
    assert "7 of 8" not in quiet.err


USERS = [
    f"{uid},{MONDAY + dt.timedelta(minutes=10 * n)},{60 + uid / 100 + n // 7 / 50},25"
    for uid in (5, 3, 11)
    for n in range(30)
]


@settings(max_examples=25)
@given(order=st.permutations(USERS), held=st.integers(1, 100), group=st.integers(1, 100))
def test_order_of_rows_and_size_of_parts_do_not_matter(
    order: list[str], held: int, group: int
) -> None:
    def visits(lines: list[str]) -> pl.DataFrame:
        rows = [line.split(",") for line in lines]
        table = pl.DataFrame(rows, schema=["uid", "datetime", "lat", "lon"], orient="row")
        return hm.stays(table).sort("uid", "d", "seq")

    expected = visits(USERS)
    assert expected.height == 12
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(by_user, "IN_MEMORY_ROWS", held)
        patch.setattr(by_user, "GROUP_ROWS", group)
        assert_frame_equal(visits(order), expected, check_exact=True)
