"""``humobctl intend``: day plans from profiles."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from humobctl.commands import intend_options as llm
from humobctl.commands.options import (
    Address,
    Engine,
    Format,
    Input,
    LongOutput,
    OnErrorOption,
    Overwrite,
    Resume,
    Seed,
    Weekday,
    Workers,
)

BackendName = Literal["planner", "openai", "hf"]


def intend(
    input: Input = None,
    backend: Annotated[
        BackendName, typer.Option("--backend", "-b", help="What makes the plans.")
    ] = "planner",
    count: Annotated[
        int | None,
        typer.Option(
            "--count",
            "-n",
            min=1,
            max=100_000_000,
            help="People to draw, by the counts of the profiles; everybody by default.",
        ),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=10_000, help="Days to plan, from day 0.")] = 1,
    weekday: Annotated[Weekday, typer.Option("--weekday", help="Weekday of day 0.")] = "monday",
    without: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PART",
            help="Leave out attitude, norm or control, for ablation; may be repeated.",
        ),
    ] = None,
    seed: Seed = 0,
    output: LongOutput = None,
    format: Format = None,
    engine: Engine = "local",
    address: Address = None,
    workers: Workers = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    people: Annotated[
        str | None,
        typer.Option("--people", help="Also write here who the people are: their profiles."),
    ] = None,
    report_to: Annotated[
        str | None, typer.Option("--report", help="Also write how it went here, as JSON.")
    ] = None,
    on_error: OnErrorOption = "fail",
    model: llm.Model = None,
    base_url: llm.BaseUrl = None,
    concurrency: llm.Concurrency = None,
    retries: llm.Retries = None,
    timeout: llm.Timeout = None,
    temperature: llm.Temperature = None,
    answer_tokens: llm.AnswerTokens = None,
    plans_per_template: llm.PlansPerTemplate = None,
    price_input: llm.PriceInput = None,
    price_output: llm.PriceOutput = None,
    max_cost: llm.MaxCost = None,
    max_tokens_total: llm.MaxTokensTotal = None,
    extra_body: llm.ExtraBody = None,
    journal: llm.JournalFile = None,
    adapter: llm.Adapter = None,
    device: llm.Device = None,
    precision: llm.Precision = None,
    batch: llm.Batch = None,
    distill: llm.Distill = None,
    show_prompt: llm.ShowPrompt = False,
) -> None:
    """Plan people's days: what they intend to do, when, and why (Theory of Planned Behaviour).

    Reads profiles (uid or profile_id, education, gender, consumption, occupation): a row for each
    person, as 'data synth --profiles' writes them, or for each kind of people with their count.
    Writes intentions (uid, d, seq, intent, start_min, end_min, reason): days from 0:00 to 24:00,
    events that do not overlap, each at another place than the one before; between them people
    travel.

    Rows that stand for one person each keep their uid. From a table with counts, or when more
    people are wanted than it has, uids count from 0; --people says who they are. A plan depends on
    the seed, the person and the day alone: person 7 of 100 plans as person 7 of 100,000 does.

    The planner follows the chain in the way of Chain-of-Planned-Behaviour (CoPB): attitude (what
    people of this profile like), norm (when people of this occupation work, sleep, eat), control
    (what still fits into the day), then one intention after another with a duration. Its shares of
    events per day and of durations are those published for Beijing.

    The backends openai and hf ask a language model the same chain, question by question, and check
    every answer. openai takes its key from OPENAI_API_KEY alone, keeps each answer in a journal, so
    that a killed run goes on without paying twice (with --resume or without it), and leaves no
    person out in silence: plans that cannot be made are in --report with their reason. Plans of
    these two also depend on how many people of the same kind come before.

    Example: humobctl intend profiles.csv --output plans.csv

    Example: humobctl intend population.csv --count 1000 --days 7 --people people.csv | head -3

    Example: humobctl intend population.csv --without norm --format ndjson | head -3

    Example: humobctl intend population.csv --count 1000 --resume --output plans.parquet

    Example: humobctl intend profiles.csv --show-prompt --without control
    """
    import humobctl as hm
    from humobctl.api.intend import first_prompt
    from humobctl.io.write import write_stdout_text

    if show_prompt:
        text = first_prompt(
            input or "-",
            count=count,
            weekday=weekday,
            without=without,
            seed=seed,
            on_error=on_error,
        )
        write_stdout_text(text)
        return
    hm.intend(
        input or "-",
        backend=backend,
        count=count,
        days=days,
        weekday=weekday,
        without=without,
        seed=seed,
        output=output or "-",
        format=format,
        engine=engine,
        address=address,
        workers=workers,
        resume=resume,
        overwrite=overwrite,
        people=people,
        report=report_to,
        distill=distill,
        on_error=on_error,
        model=model,
        base_url=base_url,
        concurrency=concurrency,
        retries=retries,
        timeout=timeout,
        temperature=temperature,
        answer_tokens=answer_tokens,
        plans_per_template=plans_per_template,
        price_input=price_input,
        price_output=price_output,
        max_cost=max_cost,
        max_tokens_total=max_tokens_total,
        extra_body=extra_body,
        journal=journal,
        adapter=adapter,
        device=device,
        precision=precision,
        batch=batch,
    )
