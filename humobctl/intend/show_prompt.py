"""The whole conversation of a chain as people read it, without asking any model."""

from __future__ import annotations

from collections.abc import Iterator

from humobctl.intend import prompts
from humobctl.intend.backends.base import BackendSettings
from humobctl.intend.chain import DayConversation
from humobctl.intend.population import SyntheticPopulation, persons
from humobctl.llm.json_reply import read_answer


def show_prompt(population: SyntheticPopulation, settings: BackendSettings) -> str:
    """The conversation about day 0 of the first person."""
    person = next(person for batch in population.batches(1) for person in persons(batch))
    return "\n".join(render(DayConversation(person, settings.weekday_of(0), settings.without)))


def render(chain: DayConversation) -> Iterator[str]:
    """Each turn of the conversation, with the example answers of the prompts."""
    examples = prompts.text("example.jsonl").splitlines()
    replies = {"attitude": examples[:1], "norm": examples[1:2], "decision": examples[2:]}
    yield f"prompts {prompts.VERSION}; the answers are examples\n"
    seen = 0
    while (ask := chain.ask) is not None:
        for turn in ask.messages[seen:]:
            yield f"--- {turn['role']}\n{turn['content']}\n"
        reply = read_answer(replies[ask.name].pop(0), ask.form).model_dump_json()
        yield f"--- assistant\n{reply}\n"
        # Each decision is asked for without the questions of those before it.
        seen = len(ask.messages) + (-1 if ask.name == "decision" else 1)
        chain.take(reply)
