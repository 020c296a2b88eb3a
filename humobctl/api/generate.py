"""Generation: places for day plans by laws or a trained model, and flows between areas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from humobctl.api.first_look import check_first_look, draw_first_look
from humobctl.api.model import ModelSource
from humobctl.api.options import (
    Between,
    Count,
    Device,
    EngineName,
    Fraction,
    OnError,
    OutputFormat,
    Seed,
    Workers,
)
from humobctl.api.signatures import public
from humobctl.api.tables import (
    PathName,
    Source,
    as_path,
    deliver,
    paths_of,
    summary,
    write_to_frame,
)
from humobctl.console.near_misses import match_name, meant_value
from humobctl.errors import HumobError, UsageError

if TYPE_CHECKING:
    import polars as pl

    from humobctl.generate.flows.config import FlowLaw

PLOT = (
    "draw maps, histograms and spreads of ``output``, as 'data describe --plot' does: a .png, .svg "
    "or .html file (extra plot)."
)
PEOPLE = {
    "intentions": "day plans (intentions), each person's rows together.",
    "people": "profiles with home and work coordinates. Default: see ``home_work``.",
    "home_work": "pairs of home and work; each person draws one. Default: homes and works are "
    "drawn from ``zones``, ``density`` or the places.",
    "plot": PLOT,
}


@public(PEOPLE, recorded=True)
def generate_gravity(
    intentions: Source,
    *,
    places: Source,
    law: str = "empirical",
    people: Source | None = None,
    home_work: Source | None = None,
    density: Source | None = None,
    zones: Source | None = None,
    radius: Annotated[float, Between(0.1, 500)] | None = None,
    max_radius: Annotated[float, Between(0.1, 4000)] | None = None,
    exponent: Annotated[float, Between(0, 10)] | None = None,
    scale: Annotated[float, Between(0.05, 500)] | None = None,
    alpha: Fraction | None = None,
    beta: Fraction | None = None,
    rho: Fraction | None = None,
    gamma: Annotated[float, Between(0, 5)] | None = None,
    fit: Source | None = None,
    save_law: PathName | None = None,
    nights_away: Fraction | None = None,
    speed: Annotated[float, Between(0.1, 1000)] = 20.0,
    min_minutes: Annotated[int, Between(0, 720)] = 5,
    snap: Annotated[float, Between(0, 10_000)] = 500.0,
    seed: Seed = 0,
    output: PathName | None = None,
    format: OutputFormat | None = None,
    plot: PathName | None = None,
    engine: EngineName = "local",
    address: str | None = None,
    workers: Workers | None = None,
    resume: bool = False,
    overwrite: bool = False,
    on_error: OnError = "fail",
) -> pl.DataFrame:
    """Give every event of day plans a place, by a law of mobility.

    People go home and sleep at home, and work at work; for other events the law chooses among
    the places that serve the intent, seen from where the person is. A visit depends on seed,
    person, day and event alone. docs/generate.md has the formulas and their sources.

    Args:
        places: places to choose from, as 'data import' and 'data synth --places' write them; the
            law empirical uses columns visits (attraction) and jobs (capacity of works), too.
        law: mobility law by which places are chosen: empirical, gravity, power, exponential,
            radiation, opportunity, epr, copb, random, home-work (docs/generate.md); or a file of
            ``save_law``. empirical is fitted to people in Beijing unless ``fit`` is given.
        density: points (lat, lon, population) to draw homes from. Default: the places.
        zones: polygons with a column population to draw homes from (GeoJSON, GeoPackage, ...): at
            places to live in them, or anywhere where there are none. Default: ``density``.
        radius: search radius in km around the person's location; not for the law empirical.
            Default: 10.
        max_radius: maximum search radius in km; the radius doubles while it holds no place.
            Not for the law empirical. Default: 8 times ``radius``.
        exponent: distance exponent (laws gravity, power, epr). Default: 2.
        scale: distance scale in km of the law exponential. Default: 2.
        alpha: exploratory tendency (law opportunity). Default: 1/3.
        beta: cautious tendency (law opportunity). Default: 1/3.
        rho: exploration factor rho in rho * S^-gamma (laws epr, and empirical on later days).
            Default: 0.6; for the law empirical as ``fit`` finds it.
        gamma: exploration exponent gamma in rho * S^-gamma (laws epr, and empirical on later
            days). Default: 0.21; for the law empirical as ``fit`` finds it.
        fit: visits or stays to fit the law's parameters to, by maximum likelihood. Default: the
            parameters above.
        save_law: also write the law empirical to this file, as JSON, for other cities.
        nights_away: fraction of days of three events or more that end away from home (law
            empirical). Default: as ``fit`` finds it, without it 0.
        speed: travel speed in km/h, in a straight line.
        min_minutes: minimum duration in minutes that travel leaves of an activity.
        snap: distance in metres within which a given home or work is moved to the nearest place
            that serves it.

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
    from humobctl.data.importers.zones import read_zones
    from humobctl.execution.run import LongRun
    from humobctl.generate.gravity.config import COMMUTE, Travel, law_named, set_observed
    from humobctl.generate.gravity.homes import HomesAndWorks, read_density
    from humobctl.generate.gravity.places import read_city
    from humobctl.generate.gravity.run import ROWS_AT_ONCE, GravityJob
    from humobctl.generate.homes_and_works import read_pairs, read_people
    from humobctl.io.output_lock import note_input
    from humobctl.io.outputs import check_distinct
    from humobctl.io.read import iter_table
    from humobctl.tables.schemas import INTENTIONS, VISITS

    law_to, target = as_path(save_law), as_path(output)
    picture = check_first_look(plot, target, format)
    check_distinct({"--output": target, "--save-law": law_to, "--plot": picture})
    with paths_of(intentions, places, people, home_work, density, zones, fit) as paths:
        _refuse_two_streams(paths)
        plans, places_at, people_at, pairs_at, density_at, zones_at, fit_at = paths
        if density_at is not None and zones_at is not None:
            raise UsageError("--density and --zones: found both, expected one of them")
        long = LongRun(target, engine, address, workers, resume, overwrite)
        asked = {
            **{"exponent": exponent, "scale": scale, "alpha": alpha},
            **{"beta": beta, "rho": rho, "gamma": gamma},
        }
        given = {name: value for name, value in asked.items() if value is not None}
        chosen = law_named(law, radius=radius, most=max_radius, fit=fit_at, **given)
        if law_to is not None and chosen.weights is None:
            raise UsageError(f"--save-law: found --law {law}, expected --law empirical")
        city = read_city(places_at, weighted=chosen.weights is not None, on_error=on_error)
        if fit_at is not None:
            from humobctl.generate.gravity.fit import fit_law, read_visits

            chosen = fit_law(chosen, read_visits(fit_at, on_error=on_error), city, seed)
        chosen = set_observed(chosen, nights_away, **given)
        dwellings = HomesAndWorks(
            city,
            seed,
            snap,
            people=None if people_at is None else read_people(people_at, on_error=on_error),
            pairs=None if pairs_at is None else read_pairs(pairs_at, on_error=on_error),
            source=people_at or "",
            density=None if density_at is None else read_density(density_at, on_error=on_error),
            zones=None if zones_at is None else read_zones(zones_at, on_error=on_error),
            commute=COMMUTE if chosen.weights is None else chosen,
        )
        if law_to is not None and chosen.weights is not None:
            if plans != "-":  # they are read later than the law is written
                note_input(plans, plans)
            chosen.weights.save(law_to)
        job = GravityJob(city, dwellings, chosen, Travel(speed, min_minutes), seed)
        batches = iter_table(plans, INTENTIONS, on_error=on_error, batch_rows=ROWS_AT_ONCE)
        name = "stdin" if plans == "-" else plans
        made = deliver(job.run(batches, name, long), VISITS, long, format)
        draw_first_look(picture, VISITS, made, target)
        return made


@public(PEOPLE, recorded=True)
def generate_diffusion(
    intentions: Source | None = None,
    *,
    model: ModelSource,
    count: Count | None = None,
    places: Source | None = None,
    no_snap: bool = False,
    decode: Literal["law", "nearest"] | None = None,
    people: Source | None = None,
    home_work: Source | None = None,
    sampler: Literal["ddpm", "ddim", "dpm", "euler"] | None = None,
    steps: Count | None = None,
    guidance: Annotated[float, Between(0, 20)] = 1.0,
    batch_size: Count = 256,
    device: Device = "auto",
    seed: Seed = 0,
    output: PathName | None = None,
    format: OutputFormat | None = None,
    plot: PathName | None = None,
    engine: EngineName = "local",
    address: str | None = None,
    workers: Workers | None = None,
    resume: bool = False,
    overwrite: bool = False,
    on_error: OnError = "fail",
) -> pl.DataFrame:
    """Draw visits from a model that ``train_diffusion`` made.

    Args:
        model: model dir of ``train_diffusion``.
        home_work: pairs of home and work; each person draws one. Default: homes and works are
            drawn from the model.
        count: number of people, one day each, for a model without a condition; needed if there are
            no ``intentions``.
        places: places; generated points become places of their intent (see ``decode``). Default:
            points stay as generated.
        no_snap: keep points as generated, even with ``places``.
        decode: decoding strategy of points. law: return to places of the day and of days before, or
            choose a new one near the point by the distances of the training days; nearest: the
            nearest place. Default: law where the model has one (not with categories).
        sampler: sampling method (euler: flow matching only). Default: dpm, or euler for flow
            matching.
        steps: number of sampling steps. Default: 16 with dpm, 20 with ddim and euler, all with
            ddpm.
        guidance: guidance weight: 1 as trained, 0 to ignore the condition.
        batch_size: number of days per batch.

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
    from humobctl.execution.run import LongRun
    from humobctl.extras import require
    from humobctl.generate.homes_and_works import read_pairs, read_people
    from humobctl.io.read import iter_table
    from humobctl.tables.schemas import CATEGORISED_INTENTIONS, INTENTIONS, VISITS

    if count is not None and intentions is not None:
        raise UsageError("--count and intentions: found both, expected one of them")
    if count is not None and people is not None:
        raise UsageError("--people and --count: found both; --people needs intentions")
    if count is None and intentions is None:
        raise UsageError("found no input, expected intentions or --count")
    folder, target = str(as_path(model)), as_path(output)
    picture = check_first_look(plot, target, format)
    with paths_of(intentions, places, people, home_work) as paths:
        _refuse_two_streams(paths)
        plans, places_at, people_at, pairs_at = paths
        long = LongRun(target, engine, address, workers, resume, overwrite)
        require("diffusion", "generate diffusion")
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
        if decode == "law" and (trained.law is None or trained.condition == "category"):
            raise UsageError(
                f"--decode law: {folder} has no law of distances (trained by an older version, on "
                "too few trips, or with categories), expected nearest"
            )
        job = DiffusionJob(
            trained,
            sampling_of(trained.settings, sampler, steps, guidance),
            places=snapped,
            people=None if people_at is None else read_people(people_at, on_error=on_error),
            pairs=None if pairs_at is None else read_pairs(pairs_at, on_error=on_error),
            nearest=decode == "nearest",
            seed=seed,
            batch_size=batch_size,
        )
        name, table = "stdin" if plans == "-" else plans, INTENTIONS
        if count is None and trained.condition == "category":
            table = CATEGORISED_INTENTIONS
            if "category" not in columns_of(plans):
                raise HumobError(
                    f"{name}: found no column category, expected one beside the intents, since "
                    f"{folder} was trained with them"
                )
        if count is not None:
            batches = job.from_nothing(count, long)
        else:
            batches = job.from_plans(iter_table(plans, table, on_error=on_error), name, long)
        made = deliver(batches, VISITS, long, format)
        draw_first_look(picture, VISITS, made, target)
        return made


def _refuse_two_streams(paths: list[str | None]) -> None:
    if paths.count("-") > 1:
        raise UsageError("found more than one table on standard input, expected files")


@public(recorded=True)
def generate_flows(
    areas: Source,
    *,
    law: str = "gravity",
    fit: Source | None = None,
    deterrence: Literal["power", "exponential", "combined"] | None = None,
    constraint: Literal["origin", "total", "none"] | None = None,
    mass: Literal["population", "inflow", "attraction"] | None = None,
    trips: Annotated[float, Between(1)] | None = None,
    sample: bool = False,
    min_flow: Annotated[float, Between(0)] = 0.0,
    columns: Iterable[str] = (),
    seed: Seed = 0,
    save_law: PathName | None = None,
    output: PathName | None = None,
    format: OutputFormat | None = None,
    plot: PathName | None = None,
    on_error: OnError = "fail",
) -> pl.DataFrame:
    """Make flows of people between areas by a law; docs/flows.md has the formulas.

    Args:
        areas: areas (area_id, lat, lon, population; outflow if known), as a table or GeoJSON.
        law: mobility law: gravity, radiation (Simini et al. 2012), extended-radiation (Yang et al.
            2014), opportunities (Schneider 1959); or a file of ``save_law``.
        fit: observed flows, of all or some areas, to fit the law to by maximum likelihood. Default:
            no fit.
        deterrence: distance decay of the gravity law. Default: power.
        constraint: constraint of the gravity law: each area's outflow (origin), the total number of
            trips (total), or none. Default: origin.
        mass: attraction of a destination: its population, its inflow in ``fit``, or a fitted
            attraction (gravity). Default: population.
        trips: total number of trips, distributed over the areas by population. Default: the areas'
            outflows.
        sample: draw whole numbers of trips instead of mean flows.
        min_flow: minimum flow; smaller flows are left out.
        columns: rename a column or property (``OLD=NEW``). Default: the usual names.
        plot: draw the largest flows, their spread and distances, as 'data describe --plot' does: a
            .png, .svg or .html file (extra plot).
        save_law: also write the fitted law to this file, as JSON.

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
    from humobctl.io.outputs import check_distinct
    from humobctl.tables.column_names import parse_columns
    from humobctl.tables.schemas import FLOWS

    law_to, target = as_path(save_law), as_path(output)
    picture = check_first_look(plot, target, format)
    check_distinct({"--output": target, "--save-law": law_to, "--plot": picture})
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
        region = job.read_areas()
        frame, rows = write_to_frame(
            target,
            format,
            lambda place: write_flows(job, region, place, format=format, save_law=law_to),
        )
        draw_first_look(picture, FLOWS, frame, target, areas=region)
    return frame if target is None else summary(target, rows=rows)


def _flow_law(name: str, given: Mapping[str, str], fit: str | None) -> FlowLaw:
    """The law asked for by its name, or the one that a file holds."""
    from humobctl.generate.flows.config import FLOW_LAWS, FlowLaw, load_law

    law = match_name(name, FLOW_LAWS)
    if law in FLOW_LAWS:
        return FlowLaw(law, **given)  # type: ignore[arg-type]
    if not name.endswith(".json"):
        meant = meant_value(name, FLOW_LAWS)
        raise UsageError(
            f"--law: found {name!r}, expected {', '.join(FLOW_LAWS)}, or a .json file{meant}"
        )
    extra = [f"--{option}" for option in given] + (["--fit"] if fit else [])
    if extra:
        raise UsageError(f"{extra[0]} needs a law's name as --law, found a file of a fitted law")
    return load_law(name)
