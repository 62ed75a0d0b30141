"""Options and arguments of the command line, from the keys of the configuration."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from heapster.config import KEYS, Key
from heapster.results import UsageError

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class _Type(click.ParamType):        # type: ignore[type-arg]  # generic in newer versions of click only
    """A key's kind, for click."""

    def __init__(self, key: Key) -> None:
        self.key, self.name = key, key.kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self.key.read(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def option(name: str, default: Any = None) -> Callable[[Decorated], Decorated]:
    """The option of a key."""
    key = KEYS[name]
    flag, is_flag = name.replace("_", "-"), key.kind == "BOOL"
    return click.option(
        f"--{flag}/--no-{flag}" if is_flag else f"--{flag}", name, default=default, envvar=key.variable,
        help=key.meaning, show_default=default is not None, show_envvar=True,
        type=None if is_flag else _Type(key), metavar=None if is_flag else key.kind)


def target(default: str = "sim") -> Callable[[Decorated], Decorated]:
    """The argument TARGET."""
    key = KEYS["target"]
    return click.argument(key.name, required=False, default=default, type=_Type(key), envvar=key.variable,
                          metavar="[TARGET]")


def one_of(ctx: click.Context, first: str, second: str) -> None:
    """Let the option on the command line win over the other; UsageError if both stand there.

    What comes from the environment or a file gives way to it.
    """
    sources = {name: ctx.get_parameter_source(name) for name in (first, second)}
    given = [name for name, source in sources.items() if source is ParameterSource.COMMANDLINE]
    if len(given) == 2:
        raise UsageError(f"--{first} and --{second} exclude each other: give one of them")
    for name in given:
        ctx.params[second if name == first else first] = None


def not_for(ctx: click.Context, names: Iterable[str], why: str) -> None:
    """UsageError if one of the options stands on the command line; a file may be for several targets."""
    for name in names:
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise UsageError(f"--{name.replace('_', '-')} says nothing here: {why}")
