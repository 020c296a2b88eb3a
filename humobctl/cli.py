"""The app: wiring only. Heavy libraries are imported inside the command that needs them."""

from __future__ import annotations

import atexit
import gc
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.exceptions import TyperException

import humobctl
from humobctl import ranks
from humobctl.commands import (
    data_describe,
    data_import,
    data_mask,
    data_split,
    data_synth,
    doctor,
    embed,
    eval_cells,
    eval_embedding,
    explore,
    finetune_export,
    finetune_llama,
    finetune_merge,
    generate_diffusion,
    generate_flows,
    generate_gravity,
    intend,
    predict,
    train_bert_moe,
    train_diffusion,
    train_embedder,
    train_ranker,
)
from humobctl.console import report, signals
from humobctl.console.safe_text import message
from humobctl.errors import HumobError, ReaderGoneError, UsageError, reason
from humobctl.io.size_limits import VARIABLE, parse_size

COMPLETION_VARIABLE = "_HUMOBCTL_COMPLETE"
DATA_HELP = """Import, make, describe, split and mask tables.

Example: humobctl data synth --users 100 --output city.parquet
"""
GENERATE_HELP = """Generate visits: where people's days take them.

Example: humobctl generate gravity plans.csv --places places.csv --output visits.csv
"""
TRAIN_HELP = """Train a model; each writes a model dir.

Example: humobctl train ranker challenge.csv --rows 2000 --output ranker
"""
GENERATE_HELP = """Make synthetic data.

Example: humobctl generate flows counties.csv --law radiation --trips 1000
"""
FINETUNE_HELP = """Fine-tune a language model, and use it elsewhere.

Example: humobctl finetune export trained --ollama Modelfile
"""
_GLOBAL_FLAGS = ("--quiet", "-q", "--verbose", "-v")
_MAX_BYTES = "--max-bytes"


class LightGroup(TyperGroup):
    """A group whose absent ``--help`` flag is False rather than None.

    Typer checks the type of None with pydantic, whose import takes 0.1 s; False needs no check.
    """

    def get_help_option(self, ctx: Any) -> TyperOption | None:
        """The help flag, with a default."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.default = False
        return option


class RootGroup(LightGroup):
    """The root, where a command's name may be two words beside a command of the first alone.

    ``eval`` takes files, so it can be no group; a file that is called embedding is ./embedding.
    """

    def make_context(self, *args: Any, **more: Any) -> Any:
        """Read the global flags."""
        with _printable_errors():
            return super().make_context(*args, **more)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command of the first two words, or else of the first."""
        two = " ".join(args[:2])
        if two in self.commands:
            return two, self.commands[two], args[2:]
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; of several processes of a training, the main one speaks first."""
        try:
            with _printable_errors():
                return super().invoke(ctx)
        except Exception:
            ranks.give_way()
            raise


@contextmanager
def _printable_errors() -> Iterator[None]:
    """What typer says of wrong usage quotes arguments, which may be names that others gave."""
    try:
        yield
    except TyperException as exc:
        exc.message = message(str(exc.message))
        raise


class StrictCommand(TyperCommand):
    """A command that takes no empty text: ``-o "$UNSET"`` is a slip, not standard output."""

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
        from humobctl.io.output_lock import reserved_early

        # Of two runs that write the same, the second ends before its work, not after it.
        output = None if ctx.params.get("dry_run") else ctx.params.get("output")
        with reserved_early(output):
            return super().invoke(ctx)


def build_app(*, completion: bool = False) -> typer.Typer:
    """The whole command tree.

    Args:
        completion: add --install-completion and --show-completion. They cost every start 0.1 s,
            so ``main`` adds them only where they are asked for.
    """
    # Plain help text: rich's panels would double the time of --help.
    plain = {"no_args_is_help": True, "rich_markup_mode": None}
    options = {**plain, "cls": LightGroup}
    app = typer.Typer(
        name="humobctl",
        add_completion=completion,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog="Shell completion: humobctl --install-completion",
        cls=RootGroup,
        **plain,  # type: ignore[arg-type]
    )
    app.callback(help=_help(_root.__doc__))(_root)
    data = typer.Typer(add_completion=False, help=_help(DATA_HELP), **options)  # type: ignore[arg-type]
    _add(data, "import", data_import.import_)
    _add(data, "synth", data_synth.synth)
    _add(data, "describe", data_describe.describe)
    _add(data, "split", data_split.split)
    _add(data, "mask", data_mask.mask)
    app.add_typer(data, name="data")
    train = typer.Typer(add_completion=False, help=_help(TRAIN_HELP), **options)  # type: ignore[arg-type]
    _add(train, "bert-moe", train_bert_moe.bert_moe)
    _add(train, "diffusion", train_diffusion.diffusion)
    _add(train, "embedder", train_embedder.embedder)
    _add(train, "ranker", train_ranker.ranker)
    app.add_typer(train, name="train")
    finetune = typer.Typer(add_completion=False, help=_help(FINETUNE_HELP), **options)  # type: ignore[arg-type]
    _add(finetune, "llama", finetune_llama.llama)
    _add(finetune, "merge", finetune_merge.merge)
    _add(finetune, "export", finetune_export.export)
    app.add_typer(finetune, name="finetune")
    generate = typer.Typer(add_completion=False, help=_help(GENERATE_HELP), **options)  # type: ignore[arg-type]
    _add(generate, "diffusion", generate_diffusion.diffusion)
    _add(generate, "gravity", generate_gravity.gravity)
    _add(generate, "flows", generate_flows.flows)
    app.add_typer(generate, name="generate")
    _add(app, "intend", intend.intend)
    _add(app, "predict", predict.predict)
    _add(app, "embed", embed.embed)
    _add(app, "eval", eval_cells.evaluate)
    _add(app, "eval embedding", eval_embedding.embedding)
    _add(app, "explore", explore.explore)
    _add(app, "doctor", doctor.doctor)
    return app


def _add(group: typer.Typer, name: str, command: Callable[..., None]) -> None:
    group.command(name, help=_help(command.__doc__), cls=StrictCommand)(command)


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
        typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print errors and results only.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say more; show tracebacks.")
    ] = False,
) -> None:
    """Work with human mobility data: import, describe, predict, score.

    Tables go in and out as CSV, NDJSON, Parquet or Arrow, through files or pipes; `-` or a missing
    path means standard input or output. --quiet and --verbose may stand anywhere, and so may
    --max-bytes SIZE: most bytes of an input, unpacked, such as 2GB; else 200 times its packed
    bytes from 1 GB on.

    Example: humobctl data synth --users 100 | humobctl data describe
    """
    report.configure(quiet=quiet, verbose=verbose)
    if os.environ.get(VARIABLE):
        parse_size(os.environ[VARIABLE])


def _flags_first(arguments: list[str]) -> list[str]:
    """Move the global flags to the front, where the root command reads them."""
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
        signals.install(report.restore_terminal)
        app(arguments, prog_name="humobctl")
    except SystemExit as exc:
        if isinstance(exc.__context__, BrokenPipeError):
            _reader_gone(exc.__context__)  # typer calls it a failure
        _leave(exc)
    except KeyboardInterrupt:  # in the moments before typer looks out for it
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
        _refused(exc)
    except MemoryError:
        report.error("no memory left; try a smaller input or fewer users at once")
        sys.exit(1)
    except Exception as exc:
        _fault_of_ours(exc)
    except BaseException as exc:
        # polars' panics are none of Python's exceptions; damaged files make some.
        if type(exc).__name__ != "PanicException":
            raise
        report.error(f"found data that polars gives up on, likely damaged ({message(str(exc))})")
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


def _leave(end: SystemExit) -> NoReturn:
    """Exit at once: taking apart the modules of polars and numpy would cost 0.05 to 0.1 s."""
    if isinstance(end.code, str) or sys.flags.interactive:
        raise end
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
    except BrokenPipeError as exc:
        _reader_gone(exc)
    except OSError as exc:
        _refused(exc)
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


def _refused(exc: OSError) -> NoReturn:
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
    """The reader of our output went away (``| head``): no failure, unless it was told of one."""
    _drop_output()
    told = exc.__context__
    sys.exit(told.exit_code if isinstance(told, TyperException) else 0)


def _drop_output() -> None:
    """Give Python somewhere to flush standard output to when it exits, or it would complain."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())


if __name__ == "__main__":
    main()
