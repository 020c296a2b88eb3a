"""Generation: places for day plans by laws or a trained model, and flows between areas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

import polars as pl

from humobctl.api.files import PathName
from humobctl.api.model import ModelSource
from humobctl.api.options import EngineName, OnError, check_choice
from humobctl.api.tables import Source, as_path, deliver, framed, paths_of, summary
from humobctl.errors import HumobError, UsageError
from humobctl.execution.run import LongRun

if TYPE_CHECKING:
    from humobctl.generate.flows.config import FlowLaw


def generate_gravity(
    intentions: Source,
    *,
    places: Source,
    law: str = "gravity",
    people: Source | None = None,
    home_work: Source | None = None,
    density: Source | None = None,
    radius: float = 10.0,
    max_radius: float | None = None,
    exponent: float | None = None,
    scale: float | None = None,
    alpha: float | None = None,
    beta: float | None = None,
    rho: float | None = None,
    gamma: float | None = None,
    fit: Source | None = None,
    speed: float = 20.0,
    min_minutes: int = 5,
    snap: float = 500.0,
    seed: int = 0,
    output: PathName | None = None,
    format: str | None = None,
    engine: EngineName = "local",
    address: str | None = None,
    workers: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    on_error: OnError = "fail",
) -> pl.DataFrame:
    """Give every event of day plans a place, by a law of mobility.

    People go home and sleep at home, and work at work; for other events the law chooses among
    the places that serve the intent, seen from where the person is. A visit depends on seed,
    person, day and event alone. docs/generate.md has the formulas and their sources.

    Args:
        intentions: day plans, each person's rows together.
        places: as ``read`` gives them.
        law: gravity, power, exponential, radiation, opportunity, epr, random or home-work.
        people: profiles with home and work.
        home_work: pairs of home and work, one of which each person draws.
        density: points (lat, lon, population) from which homes are drawn; else the places.
        radius: km within which people look for a place.
        max_radius: km up to which it is doubled where there is none; 8 times it by default.
        exponent: of distance: gravity, power, epr; 2 by default.
        scale: km over which exponential falls to 1/e; 2 by default.
        alpha: exploratory tendency of opportunity; 1/3 by default.
        beta: cautious tendency of opportunity; 1/3 by default.
        rho: epr explores with rho * S^-gamma; 0.6 by default.
        gamma: the same; 0.21 by default.
        fit: visits or stays; the law's parameters become those that make them most likely.
        speed: of travel in km/h, straight from door to door.
        min_minutes: minutes that travel leaves of an event.
        snap: metres within which a given home or work is the nearest place that serves it.
        seed: of all random choices.
        output: file or folder to write in parts.
        format: of ``output``; by default its ending decides.
        engine: in this process, or on a Ray cluster (extra ray); the result is the same.
        address: of the Ray cluster to join.
        workers: maximum number of Ray workers.
        resume: go on with the finished parts that lie in ``OUTPUT.parts``.
        overwrite: throw away an unfinished run in ``OUTPUT.parts``.
        on_error: stop at the first bad row, or drop bad rows.

    Returns:
        Visits (uid, d, seq, intent, start_min, end_min, place_id, lat, lon); with ``output`` one
        row that says how many rows went there.

    Raises:
        HumobError: a table cannot be read, or no place serves an intent.
        UsageError: no such law, or options that do not go together.

    Example:
        >>> visits = hm.generate_gravity("plans.csv", places="places.csv", seed=1)
        >>> visits.height == hm.read("plans.csv").height
        True
    """
    from humobctl.generate.gravity.config import LAWS, Law, Travel
    from humobctl.generate.gravity.homes import HomesAndWorks, read_density
    from humobctl.generate.gravity.places import read_city
    from humobctl.generate.gravity.run import ROWS_AT_ONCE, GravityJob
    from humobctl.generate.homes_and_works import read_pairs, read_people
    from humobctl.io.read import iter_table
    from humobctl.tables.schemas import INTENTIONS, VISITS

    check_choice("--law", law, LAWS)
    target = as_path(output)
    with paths_of(intentions, places, people, home_work, density, fit) as paths:
        _refuse_two_streams(paths)
        plans, places_at, people_at, pairs_at, density_at, fit_at = paths
        long = LongRun(target, engine, address, workers, resume, overwrite)
        asked = {
            **{"exponent": exponent, "scale": scale, "alpha": alpha},
            **{"beta": beta, "rho": rho, "gamma": gamma},
        }
        given = {name: value for name, value in asked.items() if value is not None}
        chosen = Law(law, radius, max_radius or 8 * radius, **given).check()
        city = read_city(places_at, on_error=on_error)
        if fit_at is not None:
            from humobctl.generate.gravity.fit import fitted, read_visits

            chosen = fitted(chosen, read_visits(fit_at, on_error=on_error), city, seed)
        dwellings = HomesAndWorks(
            city,
            seed,
            snap,
            people=None if people_at is None else read_people(people_at, on_error=on_error),
            pairs=None if pairs_at is None else read_pairs(pairs_at, on_error=on_error),
            source=people_at or "",
            density=None if density_at is None else read_density(density_at, on_error=on_error),
        )
        job = GravityJob(city, dwellings, chosen, Travel(speed, min_minutes), seed)
        batches = iter_table(plans, INTENTIONS, on_error=on_error, batch_rows=ROWS_AT_ONCE)
        name = "stdin" if plans == "-" else plans
        return deliver(job.run(batches, name, long), VISITS, long, format)


def generate_diffusion(
    intentions: Source | None = None,
    *,
    model: ModelSource,
    count: int | None = None,
    places: Source | None = None,
    no_snap: bool = False,
    people: Source | None = None,
    home_work: Source | None = None,
    sampler: Literal["ddpm", "ddim", "dpm", "euler"] | None = None,
    steps: int | None = None,
    guidance: float = 1.0,
    batch_size: int = 256,
    device: str = "auto",
    seed: int = 0,
    output: PathName | None = None,
    format: str | None = None,
    engine: EngineName = "local",
    address: str | None = None,
    workers: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    on_error: OnError = "fail",
) -> pl.DataFrame:
    """Draw visits from a model that ``train_diffusion`` made.

    Args:
        intentions: day plans, each person's rows together; their times are kept.
        model: the model's folder, or what ``train_diffusion`` returns.
        count: people, a day each, of a model without a condition, instead of ``intentions``.
        places: points become the nearest of their intent.
        no_snap: leave points where they are, whatever ``places``.
        people: profiles with home and work.
        home_work: pairs of home and work, one of which each person draws.
        sampler: dpm by default, or euler for flow matching.
        steps: evaluations of the network.
        guidance: weight of the condition; 1 as learnt, 0 for none.
        batch_size: days that are sampled together.
        device: auto, cpu or cuda.
        seed: of all random choices.
        output: file or folder to write in parts.
        format: of ``output``; by default its ending decides.
        engine: in this process, or on a Ray cluster (extra ray); the result is the same.
        address: of the Ray cluster to join.
        workers: maximum number of Ray workers.
        resume: go on with the finished parts that lie in ``OUTPUT.parts``.
        overwrite: throw away an unfinished run in ``OUTPUT.parts``.
        on_error: stop at the first bad row, or drop bad rows.

    Returns:
        Visits (uid, d, seq, intent, start_min, end_min, place_id, lat, lon); with ``output`` one
        row that says how many rows went there.

    Raises:
        HumobError: a table or the model cannot be read, or an extra is missing.
        UsageError: options that do not go with each other or with the model.

    Example:
        >>> model = hm.train_diffusion(
        ...     "stays.csv", "days", preset="tiny", condition="none", steps=2
        ... )
        >>> visits = hm.generate_diffusion(model=model, count=5)
        >>> visits["uid"].n_unique()
        5
    """
    from humobctl.data.importers.table_kind import columns_of
    from humobctl.generate.homes_and_works import read_pairs, read_people
    from humobctl.io.read import iter_table
    from humobctl.predict.registry import require
    from humobctl.tables.schemas import CATEGORISED_INTENTIONS, INTENTIONS, VISITS

    if count is not None and intentions is not None:
        raise UsageError("--count: found intentions beside it, expected one of the two")
    if count is not None and people is not None:
        raise UsageError("--people: found --count beside it, expected intentions")
    if count is None and intentions is None:
        raise UsageError("--count: found neither it nor intentions, expected one of the two")
    folder, target = str(as_path(model)), as_path(output)
    with paths_of(intentions, places, people, home_work) as paths:
        _refuse_two_streams(paths)
        plans, places_at, people_at, pairs_at = paths
        long = LongRun(target, engine, address, workers, resume, overwrite)
        require("diffusion")
        from humobctl.generate.diffusion.generate import DiffusionJob
        from humobctl.generate.diffusion.load import load_diffusion
        from humobctl.generate.diffusion.nearest_place import read_places
        from humobctl.generate.diffusion.process import sampling_of
        from humobctl.training.device import set_up

        set_up(seed)
        trained = load_diffusion(folder, device)
        snapped = None
        if places_at is not None and not no_snap:
            snapped = read_places(places_at, trained.scale.plane, on_error=on_error)
        job = DiffusionJob(
            trained,
            sampling_of(trained.settings, sampler, steps, guidance),
            places=snapped,
            people=None if people_at is None else read_people(people_at, on_error=on_error),
            pairs=None if pairs_at is None else read_pairs(pairs_at, on_error=on_error),
            seed=seed,
            batch_size=batch_size,
        )
        if count is not None:
            return deliver(job.from_nothing(count, long), VISITS, long, format)
        name, table = "stdin" if plans == "-" else plans, INTENTIONS
        if trained.condition == "category":
            table = CATEGORISED_INTENTIONS
            if "category" not in columns_of(plans):
                raise HumobError(
                    f"{name}: found no column category, expected one beside the intents, since "
                    f"{folder} was told categories"
                )
        batches = job.from_plans(iter_table(plans, table, on_error=on_error), name, long)
        return deliver(batches, VISITS, long, format)


def _refuse_two_streams(paths: list[str | None]) -> None:
    if paths.count("-") > 1:
        raise UsageError("found more than one table on standard input, expected files")


def generate_flows(
    areas: Source,
    *,
    law: str = "gravity",
    fit: Source | None = None,
    deterrence: Literal["power", "exponential", "combined"] | None = None,
    constraint: Literal["origin", "total", "none"] | None = None,
    mass: Literal["population", "inflow", "attraction"] | None = None,
    trips: float | None = None,
    sample: bool = False,
    min_flow: float = 0.0,
    columns: Iterable[str] = (),
    seed: int = 0,
    save_law: PathName | None = None,
    output: PathName | None = None,
    format: str | None = None,
    on_error: OnError = "fail",
) -> pl.DataFrame:
    """Make flows of people between areas by a law; docs/flows.md has the formulas.

    Args:
        areas: area_id, lat, lon, population, and outflow where it is known, or GeoJSON.
        law: gravity, radiation (Simini et al. 2012), extended-radiation (Yang et al. 2014),
            opportunities (Schneider 1959), or a file of ``save_law``.
        fit: flows that the law is fitted to by maximum likelihood.
        deterrence: how gravity falls with distance; power by default.
        constraint: what gravity keeps: each area's outflow (origin), the total, nothing.
        mass: what draws people: population, the inflow in ``fit``, or an attraction fitted to it.
        trips: in all, shared out by population.
        sample: draw whole trips instead of mean flows.
        min_flow: leave out smaller flows.
        columns: texts ``IN=OUT`` that say columns or properties by their names in the files.
        seed: of the draw.
        save_law: file for the fitted law, as JSON.
        output: file to write in batches.
        format: of ``output``; by default its ending decides.
        on_error: stop at the first bad row, or drop bad rows.

    Returns:
        Flows (origin, destination, flow in trips); with ``output`` one row that says how many
        rows went there.

    Raises:
        HumobError: a table cannot be read or holds a fault.
        UsageError: outflows or parameters are not known, or options that do not go together.

    Example:
        >>> flows = hm.generate_flows("counties.csv", law="radiation", trips=1000)
        >>> round(flows["flow"].sum())
        1000
    """
    from humobctl.generate.flows.config import FLOW_LAWS
    from humobctl.generate.flows.run import FlowsJob, write_flows
    from humobctl.tables.column_names import parse_columns

    law_to, target = as_path(save_law), as_path(output)
    if law_to is not None and law_to == target:
        raise UsageError("--save-law and the flows need a file each")
    shape = {"deterrence": deterrence, "constraint": constraint, "mass": mass}
    given = {name: value for name, value in shape.items() if value is not None}
    with paths_of(areas, fit) as (areas_at, fit_at):
        if areas_at == fit_at == "-":
            raise UsageError("standard input (-) can be read only once")
        job = FlowsJob(
            areas_at,
            _flow_law(law, given, fit_at),
            fit=fit_at,
            fitted=law not in FLOW_LAWS,
            trips=trips,
            sample=sample,
            least=min_flow,
            columns=parse_columns(columns),
            seed=seed,
            on_error=on_error,
        )
        frame, rows = framed(
            target,
            format,
            lambda place: write_flows(job, place, format=format, save_law=law_to),
        )
    return frame if target is None else summary(target, rows=rows)


def _flow_law(name: str, given: Mapping[str, str], fit: str | None) -> FlowLaw:
    """The law asked for by its name, or the one that a file holds."""
    from humobctl.generate.flows.config import FLOW_LAWS, FlowLaw, load_law

    if name in FLOW_LAWS:
        return FlowLaw(name, **given)  # type: ignore[arg-type]
    if not name.endswith(".json"):
        raise UsageError(f"--law: found {name!r}, expected {', '.join(FLOW_LAWS)}, or a .json file")
    extra = [f"--{option}" for option in given] + (["--fit"] if fit else [])
    if extra:
        raise UsageError(f"{extra[0]} goes with a law's name, not with a file of a fitted one")
    return load_law(name)
