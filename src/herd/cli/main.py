"""The `herd` command: finds the verb, runs it, and turns mistakes into one line.

A verb's file is imported only when that verb is called, so `herd --help` answers at once. Every
verb is a module `herd.cli.VERB` holding either a function of that name or, for a verb with
sub-commands, a `typer.Typer` called `app`.
"""

import contextlib
import difflib
import errno
import importlib
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Annotated, Any

import typer
import typer.core

VERBS = {  # in the order of the pipeline; the text is the line shown by `herd --help`
    "pull": "Fetch a model into the cache.",
    "chat": "Talk with a model.",
    "generate": "Continue a prompt.",
    "tokenizer": "Train, inspect and use tokenizers.",
    "data": "Fetch, curate, pack and inspect text for training.",
    "show": "Print a recipe, resolved.",
    "run": "Run a recipe from raw files to a trained model.",
    "pretrain": "Pre-train on packed shards.",
    "stability": "See Adam go wrong before the loss does.",
    "eval": "Score a model on benchmarks, with intervals.",
    "convert": "Convert weights between Hugging Face, Meta and GGUF.",
    "doctor": "Show versions, hardware and measured ceilings, and what is missing.",
}
SETTINGS = {"help_option_names": ["-h", "--help"]}
EXIT_OK, EXIT_FAILED, EXIT_MISTAKE, EXIT_INTERRUPTED = 0, 1, 2, 130
EXIT_SIGNALLED = 128  # and the signal's number, as shells have it
ENDINGS = ("SIGTERM", "SIGHUP")  # by name: not every system has both


class LazyVerbs(typer.core.TyperGroup):
    """A command group that knows its verbs' names and imports one when it is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the verbs in the order of the pipeline."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the verb's command, imported now."""
        if cmd_name not in VERBS:
            near = difflib.get_close_matches(cmd_name, VERBS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "herd --help lists the verbs"
            ctx.fail(f"there is no verb {cmd_name!r}; {hint}")
        module = importlib.import_module(f"herd.cli.{cmd_name}")
        app = getattr(module, "app", None) or _as_app(getattr(module, cmd_name))
        command = typer.main.get_command(app)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the verbs without importing any."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


def _as_app(function: Callable[..., Any]) -> typer.Typer:
    app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=SETTINGS)
    app.command()(function)
    return app


herd = typer.Typer(
    cls=LazyVerbs,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings=SETTINGS,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        import importlib.metadata

        print(f"herd {importlib.metadata.version('llama-herd')}")
        raise typer.Exit


@herd.callback(epilog="Every verb explains itself: herd VERB --help")
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """The Llama 2 and Llama 3 recipe: train, adapt, inspect and talk to Llama models."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 the user's mistake, 130 interrupted."""
    _mend_streams()
    _leave_in_order()
    sys.exit(run(arguments))


def _mend_streams() -> None:
    """A closed stream is None in Python; and an encoding may lack a character of an answer."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115  (open to the end)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _leave_in_order() -> None:
    """Let a signal to end end as Ctrl-C does: what is half-written goes, who works here stops."""
    for name in ENDINGS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # not under nohup
            signal.signal(number, _end)


class EndedError(SystemExit):
    """A signal asked this process to end; the code is 128 and its number."""


def _end(number: int, frame: FrameType | None) -> None:
    raise EndedError(EXIT_SIGNALLED + number)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        command = typer.main.get_command(herd)
        result = command.main(args=arguments, prog_name="herd", standalone_mode=False)
    except Exception as error:
        return _explain(error)
    except KeyboardInterrupt:
        return _say("interrupted", EXIT_INTERRUPTED)
    except EndedError as end:
        number = int(end.code or 0) - EXIT_SIGNALLED
        return _say(f"ended by {signal.Signals(number).name}", EXIT_SIGNALLED + number)
    except SystemExit as end:  # how click leaves when nobody reads any more
        if isinstance(end.__context__, BrokenPipeError):
            return _leave_broken_pipe()
        raise
    if result == EXIT_INTERRUPTED:
        return _say("interrupted", EXIT_INTERRUPTED)
    return result if isinstance(result, int) else EXIT_OK


def _explain(error: Exception) -> int:
    """Print one line for a mistake; let a bug of ours show its trace."""
    from herd.foundation import UserError

    if isinstance(error, UserError):
        return _say(" ".join(str(error).split()), EXIT_MISTAKE)
    if _is_click(error, "Abort"):
        return _say("interrupted", EXIT_INTERRUPTED)
    if _is_click(error, "Exit"):
        return int(getattr(error, "exit_code", EXIT_OK))
    if _is_click(error, "NoArgsIsHelpError"):
        print(error.ctx.get_help(), file=sys.stderr)  # type: ignore[attr-defined]
        return EXIT_MISTAKE
    if _is_click(error, "ClickException"):
        return _say(error.format_message(), EXIT_MISTAKE)  # type: ignore[attr-defined]
    if isinstance(error, BrokenPipeError):
        return _leave_broken_pipe()
    if isinstance(error, OSError) and (error.filename or error.errno == errno.ENOSPC):
        where = error.filename or "writing the output"
        return _say(f"{where}: {error.strerror}", EXIT_MISTAKE)
    if isinstance(error, MemoryError):
        return _say("out of memory; use a smaller model, batch or context", EXIT_MISTAKE)
    raise error


def _is_click(error: Exception, name: str) -> bool:
    """Tell click's exceptions by name: newer versions of typer carry a click of their own."""
    return any(
        kind.__name__ == name and kind.__module__.split(".")[0] in ("click", "typer")
        for kind in type(error).__mro__
    )


def _say(text: str, exit_code: int) -> int:
    with contextlib.suppress(OSError):  # the terminal has gone
        print(f"herd: {text}", file=sys.stderr)
    return exit_code


def _leave_broken_pipe() -> int:
    """The reader (head, less) has gone: leave as quietly as other commands do."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + signal.SIGPIPE


if __name__ == "__main__":
    main()
