"""Targets as the command line names them: parsed here, once, and handed on as values."""

from collections.abc import Iterable

from heapster.checkers.targets import grammar
from heapster.checkers.targets.capabilities import view_of
from heapster.checkers.targets.target import Target, View
from heapster.reports.output import warn
from heapster.results import UsageError


def target_of(text: str, command: str) -> Target:
    """The target that the text names; UsageError if there is none, or the command cannot take it."""
    text = current(text)
    target = grammar.parse(text)
    view_of(target, command)
    return target


def targets_of(text: str, command: str) -> tuple[Target, ...]:
    """The targets of a list, each once; UsageError for one that the command cannot take, or if there is none."""
    words = grammar.split(text)
    if not words:
        raise UsageError("--targets: name at least one, or leave it out")
    return tuple(dict.fromkeys(target_of(word, command) for word in words))


def check_traces(words: Iterable[str], command: str) -> None:
    """UsageError for what stands among the traces and is a target, with what would do."""
    for word in words:
        if grammar.is_clearly_target(word):
            raise UsageError(f"{word} is a target, and traces stand here: write "
                             f"heapster {command} [TRACE]... --targets {target_of(word, command)}")


def is_called(target: Target, command: str) -> bool:
    """Whether the command sees the target from outside only, by its calls."""
    return view_of(target, command) is View.CALLS


def names_target(text: str) -> bool:
    """Whether the text is the name of a target."""
    try:
        grammar.parse(grammar.modern(text))
    except UsageError:
        return False
    return True


def current(text: str) -> str:
    """The text as it is spelled now; a line says so, if it was spelled otherwise."""
    spelled = grammar.modern(text)
    if spelled != text:
        warn(f"'{text}' is how the version before spelled it: write {spelled}")
    return spelled
