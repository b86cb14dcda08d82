"""`herd chat`: talk with a model, at a terminal or through a pipe."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from herd.dialog import Message
    from herd.inference import Settings
    from herd.language_model import LanguageModel


def chat(
    model: Annotated[str, typer.Argument(help="A name, a directory, a .gguf file or hf:ORG/NAME.")],
    message: Annotated[str | None, typer.Option(help="Ask this one thing and leave.")] = None,
    system: Annotated[str | None, typer.Option(help="The system message.")] = None,
    temperature: Annotated[float, typer.Option(help="0 always takes the likeliest token.")] = 0.6,
    top_p: Annotated[float, typer.Option(help="Keep the likeliest tokens up to this mass.")] = 0.9,
    top_k: Annotated[int, typer.Option(help="Keep this many tokens; 0 keeps all.")] = 0,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same answers.")] = None,
    max_new_tokens: Annotated[int, typer.Option(help="The longest answer, in tokens.")] = 1024,
    chat_format: Annotated[
        str | None,
        typer.Option("--format", help="llama2, llama3 or chatml, if the files do not say."),
    ] = None,
    quantize: Annotated[
        Literal["int8", "fp8_ffn", "fp8_all"] | None,
        typer.Option(help="Narrower weights; int8 is the fastest on a CPU."),
    ] = None,
    draft: Annotated[
        str | None, typer.Option(help="Guess ahead: lookup, or a smaller model's name.")
    ] = None,
) -> None:
    """Talk with a model.

    At a terminal: Ctrl-C stops an answer and keeps what was said, Ctrl-D leaves, /help lists the
    commands. Through a pipe: one message a line, answers on stdout.
    """
    import herd
    from herd.inference import check_settings

    settings: Settings = {
        "temperature": temperature,
        "top_p": top_p,
        "top_k": top_k,
        "seed": seed,
        "max_new_tokens": max_new_tokens,
    }
    check_settings(settings)  # before a model is pulled or read
    lm = herd.load(model, chat_format=chat_format, quantize=quantize, draft=draft)
    _ = lm.chat_format  # a base model is refused before the first question, not after it
    conversation = Conversation(lm, settings, system)
    if message is not None:
        conversation.ask(message)
    elif sys.stdin.isatty():
        _greet(lm)
        _talk(conversation, _lines_of_terminal(), patient=True)
    else:
        _talk(conversation, _lines_of_pipe(), patient=False)


class Conversation:
    """What was said so far, and the model that answers."""

    def __init__(self, lm: "LanguageModel", settings: "Settings", system: str | None) -> None:
        self.system = system
        self.turns: list[Message] = []
        self._lm, self._settings = lm, settings

    def messages(self) -> "list[Message]":
        """Return the dialog, the system message first."""
        from herd.dialog import Message

        return ([Message("system", self.system)] if self.system else []) + self.turns

    def ask(self, text: str) -> None:
        """Write the answer to stdout as it comes, and remember both.

        An interrupted answer is kept as far as it got; a question with no answer is forgotten, so
        that the turns stay in order.
        """
        from herd.dialog import Message

        question = Message("user", text)
        answer = self._lm.chat_stream([*self.messages(), question], **self._settings)
        try:
            for piece in answer:
                sys.stdout.write(piece)
                sys.stdout.flush()
        except KeyboardInterrupt:
            print(" [stopped]", end="", file=sys.stderr, flush=True)
        print(flush=True)
        if answer.text:
            self.turns += [question, Message("assistant", answer.text)]

    def clear(self, _: str) -> None:
        """/clear: forget what was said; the system message stays."""
        self.turns = []
        _note("cleared")

    def set_system(self, text: str) -> None:
        """/system TEXT: set the system message and start afresh; without TEXT, show it."""
        if not text:
            _note(self.system or "there is no system message beyond the model's own")
            return
        self.system, self.turns = text, []
        _note("system message set, conversation cleared")

    def save(self, path: str) -> None:
        """/save FILE: write the conversation as JSON."""
        from herd.foundation import UserError, write_json

        if not path:
            raise UserError("say where to: /save FILE")
        messages = {"messages": [message.to_dict() for message in self.messages()]}
        try:
            write_json(Path(path).expanduser(), messages)
        except OSError as error:  # the talk goes on, and can be saved elsewhere
            raise UserError(f"cannot save to {path}: {error.strerror}") from error
        _note(f"saved to {path}")

    def help(self, _: str) -> None:
        """/help: list the commands."""
        for command in _commands(self).values():
            _note(command.__doc__ or "")
        _note("/exit: leave (also Ctrl-D); Ctrl-C stops an answer")


def _commands(conversation: Conversation) -> dict[str, Callable[[str], None]]:
    return {
        "/clear": conversation.clear,
        "/system": conversation.set_system,
        "/save": conversation.save,
        "/help": conversation.help,
    }


def _talk(conversation: Conversation, lines: Iterator[str], *, patient: bool) -> None:
    """Answer line after line; a `patient` one reports a user's mistake and goes on."""
    from herd.foundation import UserError

    for line in lines:
        if line == "/exit":
            return
        try:
            _obey(conversation, line)
        except UserError as error:
            if not patient:
                raise
            _note(f"herd: {error}")
        except KeyboardInterrupt:  # before the answer's first word: nothing to keep
            if not patient:
                raise
            _note("[stopped]")


def _obey(conversation: Conversation, line: str) -> None:
    from herd.foundation import UserError

    verb, _, rest = line.partition(" ")
    commands = _commands(conversation)
    if verb in commands:
        commands[verb](rest.strip())
    elif verb.startswith("/") and verb[1:].isalpha():
        raise UserError(f"there is no command {verb}; /help lists them")
    elif line:
        conversation.ask(line)


def _greet(lm: "LanguageModel") -> None:
    from herd.foundation import format_count
    from herd.model import parameter_count

    n_parameters = parameter_count(lm.model.config)
    context = f"{lm.model.config.max_context:,}"
    _note(f"{lm.name}: {format_count(n_parameters)} parameters, context {context} tokens.")
    _note("/help lists the commands, Ctrl-C stops an answer, Ctrl-D leaves.")


def _lines_of_terminal() -> Iterator[str]:
    """Yield lines typed at the prompt, with editing and recall; Ctrl-C drops a line."""
    import contextlib

    with contextlib.suppress(ImportError):  # not built into every Python
        import readline  # noqa: F401
    while True:
        try:
            yield input("> ").strip()
        except EOFError:
            print()
            return
        except KeyboardInterrupt:
            print()


def _lines_of_pipe() -> Iterator[str]:
    for line in iter(sys.stdin.buffer.readline, b""):
        yield line.decode("utf-8", errors="replace").strip()


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
