"""``humobctl intend``: day plans from profiles."""

from __future__ import annotations

from typing import Annotated, Any

import typer

import humobctl as hm
from humobctl.commands.options import options_from


@options_from(hm.intend, names={"backend": "-b", "count": "-n"})
def intend(
    show_prompt: Annotated[
        bool,
        typer.Option(
            "--show-prompt",
            help="Print the conversation for the first person, with example answers, and exit.",
        ),
    ] = False,
    **options: Any,
) -> None:
    """Plan the days of a population: activities, times and reasons.

    Reads profiles (uid or profile_id, education, gender, consumption, occupation): one row per
    person, as 'data synth --profiles' writes them, or one row per group of people with their count;
    or the people of a survey or census as ATUS, IPUMS and the American Community Survey have them.
    Writes intentions (uid, d, seq, intent, start_min, end_min, reason): days from 0:00 to 24:00,
    activities that do not overlap, consecutive ones at different places, with travel between them.
    To see them on a map, give the activities places ('generate gravity'), then draw the visits
    ('view').

    Rows that stand for one person keep their uid. From a table with counts, or if more people are
    wanted than it has, uids count from 0; --people writes their profiles. A plan depends only on
    the seed, the person and the day: person 7 of 100 plans as person 7 of 100,000 does. Habits
    persist over the days of a plan (when work starts, what is done on which evening), while each
    single day is distributed as without them; --independent-days draws each day anew.

    The planner follows Chain-of-Planned-Behaviour (CoPB, after the Theory of Planned Behaviour):
    attitude (what people of this profile like), norm (when people of this occupation work, sleep,
    eat), control (what still fits into the day), then one intention after another with a duration.
    Activities per day and durations follow the distributions published for Beijing, or with
    --calibrate the visits of another city.

    The backends openai and hf ask a language model the same chain, question by question, and check
    every answer. openai reads its key from OPENAI_API_KEY, keeps each answer in a journal, so that
    an interrupted run continues without paying twice (with --resume or without it), and lists the
    plans that failed in --report with their reason. Plans of these two backends also depend on how
    many people of the same group come before.

    Example: humobctl intend profiles.csv --output plans.csv

    Example: humobctl data synth -n 9 -o city9.csv --profiles p.csv && humobctl intend p.csv

    Example: humobctl intend population.csv --count 1000 --days 7 --people people.csv | head -3

    Example: humobctl intend population.csv --without norm --format ndjson | head -3

    Example: humobctl intend population.csv --count 1000 --resume --output plans.parquet

    Example: humobctl intend profiles.csv --calibrate stays.csv | head -3

    Example: humobctl intend profiles.csv --show-prompt --without control
    """
    if not show_prompt:
        hm.intend(**options)
        return
    from humobctl.api.intend import first_prompt
    from humobctl.io.write import write_stdout_text

    of_prompt = ("profiles", "count", "weekday", "without", "seed", "on_error")
    write_stdout_text(first_prompt(**{k: v for k, v in options.items() if k in of_prompt}))
