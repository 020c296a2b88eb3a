"""What was meant by an option or a command that does not exist."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

ALIASES = {
    "--num-location-ids": ("--location-ids",),
    "--input-seq-length": ("--input-length",),
    "--predict-seq-length": ("--prediction-length",),
    "--model-path": ("--model", "--base"),
    "--edition": ("--dialect",),
    "--batch": ("--batch-size",),
    "--batch-rows": ("--batch-size",),
    "--day": ("--days",),
    "--share": ("--fraction",),
    "--test-share": ("--test-fraction",),
    "--train-share": ("--train-fraction",),
    "--validation-share": ("--validation-fraction",),
    "--weekday-embedding-size": ("--holiday-embedding-size",),
}
"""Names of published scripts, and earlier ones of ours; the first that a command has is meant."""
_THREADS = ("--workers", "HUMOBCTL_THREADS=N humobctl ...")
_OUTPUT = ("--output", "--export")
OPTIONS = {
    **dict.fromkeys(("--gpu", "--cuda", "--gpus", "--use-gpu"), ("--device cuda",)),
    "--cpu": ("--device cpu",),
    **dict.fromkeys(("--jobs", "-j", "--threads", "--n-jobs", "--num-threads"), _THREADS),
    **dict.fromkeys(("--num-workers", "--n-workers", "--processes", "--cores"), _THREADS),
    **dict.fromkeys(("--out", "--outfile", "--out-file", "--output-file", "--save"), _OUTPUT),
    **dict.fromkeys(("-o", "--output"), _OUTPUT),
    **dict.fromkeys(("--output-dir", "--out-dir", "--outdir", "--save-dir", "--dest"), _OUTPUT),
    **dict.fromkeys(("--random-seed", "--random-state"), ("--seed",)),
    **dict.fromkeys(("--ground-truth", "--reference", "--ref", "--real", "--gt"), ("--truth",)),
    **dict.fromkeys(("--checkpoint", "--ckpt", "--weights", "--model-dir"), ("--model", "--base")),
    **dict.fromkeys(("--pretrained", "--finetune", "--fine-tune"), ("--init-from", "--base")),
    **dict.fromkeys(("--fp16", "--bf16", "--half", "--amp"), ("--precision bf16",)),
    **dict.fromkeys(("--force", "--clobber"), ("--overwrite",)),
    **dict.fromkeys(("--continue", "--restart"), ("--resume",)),
    **dict.fromkeys(("--config", "--cfg"), ("--settings",)),
    **dict.fromkeys(("--tz", "--time-zone"), ("--timezone",)),
    "--cell-size": ("--cell-km", "--grid"),
    "--from": ("--from-day", "--format"),
    "--days": ("--from-day FIRST --to-day LAST",),
    "--to-format": ("--to",),
    "--debug": ("--verbose",),
    "--silent": ("--quiet",),
    "--version": ("humobctl --version",),
}
"""What other programs call an option, and what we do: options with values, or what there is."""
MISSING = {"--places": "'data synth --places' makes places, 'data import' reads them"}
"""Where what a command needs is to be had."""
_FILES = ("--input", "--in", "-i", "--file", "--data", "--dataset", "--input-file", "--path")
COMMANDS = {
    **dict.fromkeys(("score", "evaluate", "evaluation", "metrics", "compare"), ("eval",)),
    **dict.fromkeys(("convert", "load", "read", "prepare", "preprocess"), ("data import",)),
    **dict.fromkeys(("info", "stats", "summary", "head", "inspect"), ("data describe",)),
    **dict.fromkeys(("plan", "plans", "persons", "population"), ("intend",)),
    **dict.fromkeys(("simulate", "sample", "synthesize"), ("generate", "data synth")),
    **dict.fromkeys(("forecast", "infer", "inference"), ("predict",)),
    **dict.fromkeys(("validate", "check"), ("predict --validate SUBMISSION",)),
    **dict.fromkeys(("models", "list"), ("predict --list-models",)),
    "lora": ("finetune llama",),
    **dict.fromkeys(("fine-tune", "tune"), ("train bert-moe --init-from DIR", "finetune llama")),
    **dict.fromkeys(("plot", "map", "show", "visualize", "visualise"), ("view", "explore")),
    **dict.fromkeys(("embeddings", "encode"), ("embed", "eval embedding")),
    **dict.fromkeys(("install", "status", "env"), ("doctor",)),
    "version": ("--version",),
    "help": ("--help",),
}
"""Words that are not commands, and what does that work here."""
_OF_FILES = {
    "": "data describe",
    "data": "data describe",
    "finetune": "finetune llama",
    "generate": "generate gravity",
    "train": "train ranker",
}
"""The usual command of a group for a file that is given without one."""
_NEW_CITY = "a ranker serves other cities as it is: 'predict --model DIR'"
ELSEWHERE = {("train ranker", "--init-from"): _NEW_CITY}
"""Options of one command that are not needed in another, and why."""
TRAINED = ("ranker", "bert-moe", "next", "next-gru", "embedder", "diffusion")
"""Commands that train a model."""
_LIKE, _LIKE_FILE, _MANY_FILES = 0.6, 0.85, 1000


def accept_aliases(arguments: Sequence[str], known: Collection[str]) -> list[str]:
    """The arguments with names of published scripts and earlier ones as our own.

    Args:
        arguments: of a command, up to ``--``.
        known: names of its options.
    """
    end = list(arguments).index("--") if "--" in arguments else len(arguments)
    return [*(_ours(word, known) for word in arguments[:end]), *arguments[end:]]


def _ours(word: str, known: Collection[str]) -> str:
    name, sign, value = word.partition("=")
    if not name.startswith("--") or name in known:
        return word
    dashed = name.replace("_", "-")
    for candidate in (dashed, *ALIASES.get(dashed, ())):
        if candidate in known:
            return candidate + sign + value
    return word


def meant_option(
    option: str, known: Collection[str], arguments: Collection[str] = (), command: str = ""
) -> str:
    """The end of a message on an option that does not exist: what may have been meant.

    Args:
        option: as typed.
        known: names of the command's options.
        arguments: names of its arguments.
        command: its words.
    """
    name = option.replace("_", "-")
    if (command, name) in ELSEWHERE:
        return f"; {ELSEWHERE[command, name]}"
    if name in _FILES and arguments:
        return f"; give {' '.join(arguments)} without an option"
    offered = OPTIONS.get(name, ALIASES.get(name, ()))
    found = [one for one in offered if not one.startswith("--") or one.split()[0] in known]
    return _question(found if offered else _similar(name, known))


def meant_command(word: str, within: str, commands: Collection[str]) -> str:
    """The end of a message on a command that does not exist: what may have been meant.

    Args:
        word: as typed.
        within: the group it was looked for in, or "".
        commands: all groups and commands of the tree, in full.
    """
    name = word.replace("_", "-").lower()
    ends = [one for one in commands if name in (one.rpartition(" ")[2], one.replace(" ", "-"))]
    if ends:
        return _question(ends)
    if _is_file(word) and within in _OF_FILES:
        return _list_commands(within, commands) + _question([f"{_OF_FILES[within]} {word}"])
    offered = COMMANDS.get(name, ())
    found = [one for one in offered if one in commands or "-" in one]
    if found and not within:
        return _question(found)
    last = _similar(name, {one.rpartition(" ")[2] for one in commands})
    close = [one for one in commands if one.rpartition(" ")[2] in last]
    return _question(close or found or _similar(name, commands)) or _list_commands(within, commands)


def _list_commands(group: str, commands: Collection[str]) -> str:
    """The commands of a group, which are few."""
    names = [one.removeprefix(f"{group} ") for one in commands if one.startswith(f"{group} ")]
    *others, last = names or [""]
    return f"; expected {', '.join(others)} or {last}" if group else ""


def _is_file(word: str) -> bool:
    """Whether a word is a path rather than the name of a command."""
    return "/" in word or bool(Path(word).suffix) or Path(word).is_file()


def match_name(value: str, known: Collection[str]) -> str:
    """The known name that is spelt like a value but for case, hyphens and underscores.

    Args:
        value: as typed.
        known: names.

    Returns:
        That name; the value itself where there is none.
    """
    if value in known:
        return value
    return next((one for one in known if _letters(one) == _letters(value)), value)


def meant_value(value: str, known: Collection[str]) -> str:
    """The end of a message on an unknown name as a value: what may have been meant."""
    by_letters = {_letters(one): one for one in known}
    return _question([by_letters[one] for one in _similar(_letters(value), by_letters)])


def meant_model(name: str, known: Collection[str]) -> str:
    """The end of a message on an unknown model: a known one, a model dir, or a training.

    Args:
        name: as typed.
        known: names of models.
    """
    nearby = _names_beside(name, lambda place: (place / "config.json").is_file())
    meant = meant_value(name, [*known, *nearby])
    kinds = {_letters(kind): kind for kind in TRAINED}
    if not meant and (kind := _similar(_letters(name), kinds)):
        return f"; 'humobctl train {kinds[kind[0]]}' makes a model dir"
    return meant


def meant_file(name: str) -> str:
    """The end of a message on a file that is not there: one beside it with nearly that name."""
    stems = {Path(one).name.partition(".")[0]: one for one in _names_beside(name)}
    stem = Path(name).name.partition(".")[0]
    return _question([stems[one] for one in get_close_matches(stem, stems, n=1, cutoff=_LIKE_FILE)])


def _names_beside(name: str, wanted: Callable[[Path], bool] = Path.exists) -> list[str]:
    """Paths of what lies in the folder of a path, written as it is; none of a folder too large."""
    folder, _, _ = name.rpartition("/")
    start = name[: len(folder) + ("/" in name)]
    try:
        found = list(islice(Path(start or ".").iterdir(), _MANY_FILES + 1))
        return [start + one.name for one in found if len(found) <= _MANY_FILES and wanted(one)]
    except (OSError, ValueError):
        return []


def _letters(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def _similar(name: str, names: Collection[str]) -> list[str]:
    return get_close_matches(name, names, n=1, cutoff=_LIKE)


def _question(offered: Sequence[str]) -> str:
    if not offered:
        return ""
    return f"; did you mean {' or '.join(repr(one) for one in offered)}?"
