"""The app: wiring only. Heavy libraries are imported inside the command that needs them."""

from __future__ import annotations

import atexit
import gc
import inspect
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.exceptions import TyperException
from typer.main import get_command

import humobctl
from humobctl import ranks
from humobctl.console import near_misses, report, signals
from humobctl.console.safe_text import message
from humobctl.console.words import refused_value
from humobctl.errors import HumobError, ReaderGoneError, UsageError, reason
from humobctl.io.size_limits import VARIABLE, parse_size

COMPLETION_VARIABLE = "_HUMOBCTL_COMPLETE"
GROUPS = {
    "data": """Import, export, describe, split and mask data; find stays; make an example city.

    Example: humobctl data synth --users 100 --output city.parquet
    """,
    "train": """Train a model, or fine-tune one on another city.

    Each command writes a model dir for 'predict', 'embed' or 'generate diffusion'. To fine-tune
    on another city: 'train bert-moe --init-from DIR'. A ranker serves other cities as it is.

    Example: humobctl train ranker challenge.csv --rows 2000 --output ranker
    """,
    "finetune": """Fine-tune a language model with LoRA, merge and export it.

    To fine-tune a bert-moe on another city, see 'train bert-moe --init-from DIR'.

    Example: humobctl finetune llama challenge.csv --base tinyllama --preset tiny --output adapter
    """,
    "generate": """Generate visits or flows of a synthetic population.

    Example: humobctl generate flows counties.csv --law radiation --trips 1000
    """,
}
COMMANDS = {
    "data import": ("data_import:import_", "Convert a data set to a humobctl table."),
    "data export": (
        "data_export:export",
        "Export a table to the format of a GIS or of another mobility library.",
    ),
    "data stays": (
        "data_stays:stays",
        "Find stays in points: visits at each user's locations, with homes and works.",
    ),
    "data synth": ("data_synth:synth", "Make a synthetic city with HuMob-like trajectories."),
    "data twin": ("data_twin:twin", "Make a city's double: other people in the same city."),
    "data describe": (
        "data_describe:describe",
        "Describe a table of any kind: coverage, quality and the field's measures.",
    ),
    "data split": (
        "data_split:split",
        "Split a table into train, validation and test files.",
    ),
    "data mask": (
        "data_mask:mask",
        "Mask the cells to predict (x and y become 999), or hide days of a flow series.",
    ),
    "train ranker": (
        "train_ranker:ranker",
        "Train a ranker of the cells each user has visited (fast, on a CPU).",
    ),
    "train next": (
        "train_next:next_",
        "Train a model that ranks places for the next record of a session.",
    ),
    "train next-gru": (
        "train_next_gru:next_gru",
        "Train a recurrent network (GRU) that ranks places for the next record of a session.",
    ),
    "train bert-moe": (
        "train_bert_moe:bert_moe",
        "Train ST-MoE-BERT, a BERT encoder with a mixture of experts.",
    ),
    "train diffusion": (
        "train_diffusion:diffusion",
        "Train a diffusion or flow matching model of daily trajectories.",
    ),
    "train embedder": (
        "train_embedder:embedder",
        "Train an embedder of users: 512-dimensional vectors of where and when they are.",
    ),
    "finetune llama": (
        "finetune_llama:llama",
        "Fine-tune a language model with LoRA, to predict or to plan.",
    ),
    "finetune merge": ("finetune_merge:merge", "Merge a LoRA adapter into its base model."),
    "finetune export": (
        "finetune_export:export",
        "Export a fine-tuned model for Ollama or llama.cpp.",
    ),
    "predict": (
        "predict:predict",
        "Predict masked cells, hidden days of flows, or next places of sessions.",
    ),
    "eval": (
        "eval_command:evaluate",
        "Score predictions, ranked candidates, generated data, day plans, flows or daily flows.",
    ),
    "eval embedding": (
        "eval_embedding:embedding",
        "Evaluate user embeddings: re-identification and linear probes.",
    ),
    "runs": (
        "runs:runs",
        "Compare runs: command, model, seed, what differs between them, and scores.",
    ),
    "intend": (
        "intend:intend",
        "Plan the days of a population: activities, times and reasons.",
    ),
    "generate gravity": (
        "generate_gravity:gravity",
        "Choose a place for each activity of day plans by a mobility law.",
    ),
    "generate diffusion": (
        "generate_diffusion:diffusion",
        "Generate visits with a model of 'train diffusion'.",
    ),
    "generate flows": (
        "generate_flows:flows",
        "Generate flows between areas (such as commuting) by a mobility law.",
    ),
    "embed": (
        "embed:embed",
        "Embed users as 512-dimensional vectors with a trained embedder.",
    ),
    "view": ("view:view", "See tables on a map, in a browser or as a picture."),
    "explore": ("explore:explore", "Explore an embedding space on an interactive map."),
    "doctor": ("doctor:doctor", "Report what is installed and what works here."),
}
"""Each command: module and function, and the first sentence of the function's help."""
_GLOBAL_FLAGS = ("--quiet", "-q", "--verbose", "-v")
_MAX_BYTES = "--max-bytes"
_INTERRUPTED = (130, 143)
"""Exit codes after Ctrl-C and SIGTERM."""
_BRACES = dict.fromkeys(map(ord, "{}"))


def _or_false(flag: TyperOption | None) -> TyperOption | None:
    """A flag that is False rather than None where it is not given.

    Typer checks the type of None with pydantic, whose import takes 0.1 s; False needs no check.
    """
    if flag is not None:
        flag.default = False
    return flag


class LightGroup(TyperGroup):
    """A group of commands that lists their first sentences."""

    def get_help_option(self, ctx: Any) -> TyperOption | None:
        """The help flag."""
        return _or_false(super().get_help_option(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Without arguments, show the help: typer's own way would escape its line ends here."""
        if not args and not ctx.resilient_parsing:
            typer.echo(ctx.get_help(), err=True)
            raise typer.Exit(2)
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command of the first word; if there is none, say which may be meant."""
        word = args[0]
        if word not in self.commands and not word.startswith("-") and not ctx.resilient_parsing:
            within = ctx.command_path.partition(" ")[2]
            meant = near_misses.meant_command(word, within, [*GROUPS, *COMMANDS])
            ctx.fail(f"No such command {word!r}{meant}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, each with the whole first sentence of its help."""
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, (one.help or "").partition("\n\n")[0])
                    for name, one in self.commands.items()
                ]
            )


class RootGroup(LightGroup):
    """The root, where a command's name may be two words beside a command of the first alone.

    ``eval`` takes files, so it can be no group; a file that is called embedding is ./embedding.
    """

    def make_context(self, *args: Any, **more: Any) -> Any:
        """Read the global flags."""
        with _errors_of_one_line():
            return super().make_context(*args, **more)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command of the first two words or of the first."""
        two = " ".join(args[:2])
        if two in self.commands:
            return two, self.commands[two], args[2:]
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; of several processes of a training, the main one speaks first."""
        try:
            with _errors_of_one_line():
                return super().invoke(ctx)
        except Exception:
            ranks.give_way()
            raise


@contextmanager
def _errors_of_one_line() -> Iterator[None]:
    """Say in one line what typer says of wrong usage in four.

    It quotes arguments, which may be names that others gave.
    """
    try:
        yield
    except TyperException as exc:
        text = refused_value(exc.__cause__) or str(exc.message)
        if hasattr(exc, "possibilities"):  # no such option
            text += _meant_by(exc)
        if exc.exit_code != 2 or "\n" in text:  # the help, where nothing was asked for
            raise
        exc.message = message(text)
        told = exc.format_message().rstrip(".")
        if told.startswith("Invalid value for "):
            option, sign, rest = told.removeprefix("Invalid value for ").partition(": ")
            told = option.replace("'", "") + sign + rest
        for option, origin in near_misses.MISSING.items():
            if told == f"Missing option '{option}'":
                told += f"; {origin}"
        context = getattr(exc, "ctx", None)
        where = f" (see '{context.command_path} --help')" if context else ""
        raise UsageError(f"{told[0].lower()}{told[1:]}{where}") from None


def _meant_by(wrong: Any) -> str:
    """The option that may be meant by one that does not exist."""
    wrong.possibilities = None
    if wrong.ctx.parent is None:
        return "; options of a command stand after it"
    params = wrong.ctx.command.get_params(wrong.ctx)
    known = [name for one in params for name in (*one.opts, *one.secondary_opts)]
    arguments = [one.metavar for one in params if one.param_type_name == "argument"]
    words = wrong.ctx.command_path.partition(" ")[2]
    return near_misses.meant_option(wrong.option_name, {*known, *_GLOBAL_FLAGS}, arguments, words)


class _Check:
    """How typer checks the values of an option, made when one is to be checked.

    By pydantic, whose import takes 0.1 s and whose making 0.01 s, for options not given, too.
    """

    def __init__(self, param: Any) -> None:
        self._text = param.type_descriptor.annotation is str
        self._choices = param.type_descriptor.choices or ()
        self._make = param.get_runtime_param

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value in its type."""
        if isinstance(value, str) and self._choices:
            value = near_misses.match_name(value, self._choices)
        many = param.multiple or param.nargs == -1
        if value is None:
            return () if many else None
        if not many and (value is param.default or (self._text and isinstance(value, str))):
            return value
        return self._make().coerce(value, param=param, ctx=ctx)


class StrictCommand(TyperCommand):
    """A command that takes no empty text: ``-o "$UNSET"`` is a slip, not standard output."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        params: list[Any] = self.params
        for param in params:
            check = _Check(param)
            param.get_runtime_param = lambda check=check: check

    def get_help_option(self, ctx: Any) -> TyperOption | None:
        """The help flag."""
        return _or_false(super().get_help_option(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments, in which options may have the names of published scripts."""
        known = {name for one in self.get_params(ctx) for name in (*one.opts, *one.secondary_opts)}
        return super().parse_args(ctx, near_misses.accept_aliases(args, known))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The words of the usage line; what must be given stands without brackets."""
        return [piece.translate(_BRACES) for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options under headings, and the usual ones first."""
        from humobctl.commands.help_page import write_options

        write_options(self.get_params(ctx), ctx, formatter)

    def invoke(self, ctx: Any) -> Any:
        """Run the command.

        Raises:
            UsageError: an empty argument or option, which it names.
        """
        params: list[Any] = self.params
        for param in params:
            value = ctx.params.get(param.name)
            if "" in (value if isinstance(value, list | tuple) else [value]):
                name = param.get_error_hint().replace("'", "")
                raise UsageError(f"{name}: found an empty text, expected a value")
        from humobctl.io.kept_inputs import inputs_kept
        from humobctl.io.output_lock import reserve_early

        # Of two runs that write the same, the second ends before its work, not after it.
        output = None if ctx.params.get("dry_run") else ctx.params.get("output")
        with inputs_kept(), reserve_early(output):
            return super().invoke(ctx)


class LazyCommand(TyperCommand):
    """A command whose module is imported when it is called or its own help is asked for."""

    def __init__(self, words: str) -> None:
        self._path, summary = COMMANDS[words]
        super().__init__(name=words.rsplit(maxsplit=1)[-1], help=summary)

    @cached_property
    def loaded(self) -> Any:
        """The command with its options."""
        module, name = self._path.split(":")
        function = getattr(import_module(f"humobctl.commands.{module}"), name)
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(self.name, help=_help(function.__doc__), cls=StrictCommand)(function)
        return get_command(app)

    def make_context(self, *args: Any, **more: Any) -> Any:
        """Parse the arguments by the command's options."""
        return self.loaded.make_context(*args, **more)


def build_app(*, completion: bool = False) -> Any:
    """The whole command tree, a ``TyperGroup``.

    Args:
        completion: add --install-completion and --show-completion. They cost every start 0.1 s,
            so ``main`` adds them only where they are asked for.
    """
    # Plain help text: rich's panels would double the time of --help.
    plain: dict[str, Any] = {"rich_markup_mode": None}
    app = typer.Typer(
        name="humobctl",
        add_completion=completion,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog="Shell completion: humobctl --install-completion",
        cls=RootGroup,
        **plain,
    )
    app.callback(help=_help(_root.__doc__))(_root)
    root: Any = get_command(app)
    groups = {
        name: LightGroup(name=name, help=_help(text), **plain) for name, text in GROUPS.items()
    }
    for words in COMMANDS:
        first, _, last = words.partition(" ")
        if first in groups:
            root.add_command(groups[first])
        group, name = (groups[first], last) if first in groups else (root, words)
        group.add_command(LazyCommand(words), name)
    return root


def _help(docstring: str | None) -> str:
    """The docstring as help; examples keep their lines, so that they can be copied."""
    return inspect.cleandoc(docstring or "").replace("\n\nExample:", "\n\n\b\nExample:")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"humobctl {humobctl.__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", callback=_show_version, is_eager=True
        ),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print errors and results only.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print more messages, and tracebacks.")
    ] = False,
) -> None:
    """Work with human mobility data: import, train, predict, generate, score.

    Tables are read and written as CSV, NDJSON, Parquet or Arrow, through files or pipes; `-` or a
    missing path means standard input or output. Tables with coordinates are also written as
    GeoJSON, GeoParquet, FlatGeobuf, GeoPackage and GPX. `humobctl COMMAND --help` has examples.

    --quiet and --verbose may be given anywhere, and so may --max-bytes SIZE: the maximum size of
    an input after decompression, such as 2GB (default: 1 GB, or 200 times its compressed size if
    that is more).

    Example: humobctl data synth --users 100 | humobctl data describe

    Example: humobctl predict challenge.csv | humobctl eval - --truth city.csv

    Example: humobctl intend population.csv -n 9 | humobctl generate gravity - --places places.csv
    """
    report.configure(quiet=quiet, verbose=verbose)
    if os.environ.get(VARIABLE):
        parse_size(os.environ[VARIABLE])


def _flags_first(arguments: list[str]) -> list[str]:
    """Global flags to the front, where the root command reads them; ``help X`` as ``X --help``."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    flags: list[str] = []
    others: list[str] = []
    words = iter(arguments[:end])
    for word in words:
        if word == _MAX_BYTES:  # an option of typer's would have every --help import pydantic
            os.environ[VARIABLE] = next(words, "nothing")
        elif word.startswith(f"{_MAX_BYTES}="):
            os.environ[VARIABLE] = word.partition("=")[2] or "nothing"
        elif word in _GLOBAL_FLAGS:
            flags.append(word)
        else:
            others.append(word)
    if "help" in others[: 2 if others[:1] and others[0] in GROUPS else 1]:  # as of git and others
        others.remove("help")
        others.append("--help")
    return flags + others + arguments[end:]


def main() -> None:
    """Entry point: runs the app and turns every failure into one line and an exit code."""
    _fill_closed_streams()
    # Importing polars and numpy makes hundreds of thousands of objects that all stay: collecting
    # them again and again would take a tenth of the start.
    gc.set_threshold(100_000)
    # Our matrix products are small: a second BLAS thread would only spin beside the first.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    arguments = _flags_first(sys.argv[1:])
    completion = COMPLETION_VARIABLE in os.environ or any(
        a in ("--install-completion", "--show-completion") for a in arguments
    )
    app = build_app(completion=completion)
    try:
        signals.install(_say_last_words)
        app(arguments, prog_name="humobctl")
    except SystemExit as exc:
        if isinstance(exc.__context__, BrokenPipeError):
            _reader_gone(exc.__context__)  # typer calls it a failure
        _leave(exc)
    except KeyboardInterrupt:  # in the moments before typer looks out for it
        _say_last_words()
        sys.exit(130)
    except UsageError as exc:
        report.error(str(exc))
        sys.exit(2)
    except HumobError as exc:
        _explain(exc)
        _flush_what_goes()
        sys.exit(1)
    except (ReaderGoneError, BrokenPipeError) as exc:
        _reader_gone(exc)
    except OSError as exc:
        _end_by_os_error(exc)
    except MemoryError:
        report.error("no memory left; try a smaller input or fewer users at once")
        sys.exit(1)
    except Exception as exc:
        _fault_of_ours(exc)
    except BaseException as exc:
        # Panics of polars and tokenizers are none of Python's exceptions; damaged files make some.
        if type(exc).__name__ != "PanicException":
            raise
        report.error(
            f"the input is probably damaged: a library cannot read it ({message(str(exc))})"
        )
        sys.exit(1)


def _fill_closed_streams() -> None:
    """Stand in for standard streams that the caller closed (``<&-``, ``>&-``).

    Python has None for them, and the next file opened would take their number. Opened the wrong
    way round, any use of them is a plain error; only messages go nowhere.
    """
    for number, name, flags in (
        (0, "stdin", os.O_WRONLY),
        (1, "stdout", os.O_RDONLY),
        (2, "stderr", os.O_WRONLY),
    ):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, flags)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, os.fdopen(number, "w" if number else "r"))


def _say_last_words() -> None:
    """Say in a line what an interrupt leaves."""
    report.restore_terminal()
    if ranks.rank() == 0 and (text := signals.take_last_words()):
        report.info(text)


def _leave(end: SystemExit) -> NoReturn:
    """Exit at once: taking apart the modules of polars and numpy would cost 0.05 to 0.1 s."""
    if end.code in _INTERRUPTED:
        _say_last_words()
    if isinstance(end.code, str) or sys.flags.interactive:
        raise end
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
    except BrokenPipeError as exc:
        _reader_gone(exc)
    except OSError as exc:
        _end_by_os_error(exc)
    sys.stderr.flush()
    os._exit(end.code or 0)


def _fault_of_ours(exc: Exception) -> NoReturn:
    first = str(exc).splitlines()[:1]
    if report.settings.verbose:
        import traceback

        report.lines("".join(traceback.format_exception(exc)).rstrip())
    report.error(f"internal: {type(exc).__name__}: {first[0] if first else 'no reason given'}")
    if not report.settings.verbose:
        report.info("This is a fault of humobctl; --verbose shows the traceback.")
    sys.exit(1)


def _explain(exc: HumobError) -> None:
    report.error(str(exc))
    if report.settings.verbose and exc.__cause__ is not None:
        report.detail(f"cause: {exc.__cause__!r}")


def _end_by_os_error(exc: OSError) -> NoReturn:
    report.error(f"{exc.filename or 'output'}: {reason(exc)}")
    _drop_output()
    sys.exit(1)


def _flush_what_goes() -> None:
    """Python would complain at its exit about output that cannot be written."""
    try:
        sys.stdout.flush()
    except OSError:
        _drop_output()


def _reader_gone(exc: BaseException) -> NoReturn:
    """The reader of our output went away (``| head``): no failure, unless it reported one."""
    _drop_output()
    told = exc.__context__
    sys.exit(told.exit_code if isinstance(told, TyperException) else 0)


def _drop_output() -> None:
    """Give Python somewhere to flush standard output to when it exits, or it would complain."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())


if __name__ == "__main__":
    main()
