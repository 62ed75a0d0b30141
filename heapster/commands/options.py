"""Options and arguments of the command line, from the keys of the configuration."""

from collections.abc import Callable, Iterable
from functools import wraps
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource
from click.types import UnprocessedParamType

from heapster.config import KEYS, MOST_ARENAS, POLICIES, Key
from heapster.results import LEVELS, UsageError

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
LISTS = ("policy", "sizes")     # keys whose values are several: given again, an option adds to them
MOST_BYTES = 1 << 46            # the largest request that an allocator of ours takes


class _Type(click.ParamType):        # type: ignore[type-arg]  # generic in newer versions of click only
    """A key's kind, for click."""

    def __init__(self, key: Key) -> None:
        self.key, self.name = key, key.kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self.key.read(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)

    def split_envvar_value(self, rv: str) -> list[str]:
        """All of a variable is one value, which commas part."""
        return [rv]


class FilePath(click.Path):
    """A path that has a name: an empty one would be the folder that one is in."""

    def __init__(self, *, folder: bool | None = None) -> None:
        super().__init__(dir_okay=folder is not False, file_okay=folder is not True, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path; usage error for an empty one."""
        if value == "":
            self.fail("it is empty: a path is expected", param, ctx)
        return super().convert(value, param, ctx)


def done_by(module: str, function: str = "command") -> Callable[[Callable[[], None]], Callable[..., Any]]:
    """Let the command that is declared be done by a function of `heapster.commands`, which is imported when it runs.

    So that its help is there at once, however much its work has to load.
    """
    def decorate(declared: Callable[[], None]) -> Callable[..., Any]:
        @wraps(declared)
        def run(**given: Any) -> Any:
            _check_not_empty(click.get_current_context())
            starting[:] = [click.get_current_context()]
            work = getattr(import_module(f"heapster.commands.{module}"), function)
            starting.clear()
            return work(**given)
        return run
    return decorate


starting: list[click.Context] = []      # the command whose work is being loaded


def _check_not_empty(ctx: click.Context) -> None:
    """UsageError for an empty text where a file, a target or an id is named: often a variable that is not set."""
    for param in ctx.command.params:
        value = ctx.params.get(param.name or "")
        named = value if isinstance(value, tuple) else (value,)
        may_be = isinstance(param.type, UnprocessedParamType) or getattr(param, "flag_value", None) == ""
        if "" in named and not may_be:
            raise UsageError(f"{param.get_error_hint(ctx)} is empty: name what is meant, or leave it out")


def listed(*names: str, default: str | None = None, **given: Any) -> Callable[[Decorated], Decorated]:
    """An option that names several, with commas or given several times; its value is one text, with commas."""
    return click.option(*names, default=default and [default], multiple=True, callback=_joined, **given)


def _joined(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> str | None:
    del ctx, param
    return ",".join(values) if values else None


def _collected(ctx: click.Context, param: click.Parameter, values: tuple[tuple[Any, ...] | None, ...]) -> Any:
    """What all of them name, each once; None, which stands alone, if none does."""
    several = tuple(value for value in values if value is not None)
    if len(several) != len(values) > 1:
        raise click.BadParameter("auto stands alone", ctx, param)
    return tuple(dict.fromkeys(chain(*several))) if several else None


def the_only(ctx: click.Context, param: click.Parameter, values: tuple[Any, ...]) -> Any:
    """The value of an option that may be given once, though it looks as if it collected; BadParameter for more."""
    if len(values) > 1:
        raise click.BadParameter(f"it is given {len(values)} times, and a heap has one", ctx, param)
    return values[0] if values else None


def option(name: str, default: Any = None, *, multiple: bool = False) -> Callable[[Decorated], Decorated]:
    """The option of a key; `multiple`: it may be given several times."""
    key = KEYS[name]
    callback = _collected if name in LISTS else None
    if callback:
        multiple = True
        default = default if default is None or isinstance(default, tuple) else (default,)
    flag, is_flag = name.replace("_", "-"), key.kind == "BOOL"
    return click.option(
        f"--{flag}/--no-{flag}" if is_flag else f"--{flag}", name, default=default, envvar=key.variable,
        help=key.meaning, show_default=default is not None, multiple=multiple, show_envvar=True,
        callback=callback, type=None if is_flag else _Type(key), metavar=None if is_flag else key.kind)


def target(default: str = "sim") -> Callable[[Decorated], Decorated]:
    """The argument TARGET."""
    key = KEYS["target"]
    return click.argument(key.name, required=False, default=default, type=_Type(key), envvar=key.variable,
                          metavar="[TARGET]")


def drawn_target(function: Decorated) -> Decorated:
    """--target TARGET, of a command that draws what is predicted of a trace."""
    return click.option("--target", metavar="TARGET", help="Draw the heap as it is built and set there: "
                        "sim:spans=1:cache=65536.  [default: as where a finding's trace failed, else as what ships]",
                        )(function)


def jobs_option(meaning: str) -> Callable[[Decorated], Decorated]:
    """--jobs N."""
    return click.option("--jobs", type=click.IntRange(1), metavar="N", help=meaning)


def selection_options(function: Decorated) -> Decorated:
    """--only, --ignore and --fail-on: which findings are reported, and which fail the run."""
    for added in (option("fail_on", LEVELS[0]), option("ignore", multiple=True), option("only", multiple=True)):
        function = added(function)
    return function


def library_options(function: Decorated) -> Decorated:
    """--policy, --arenas and --mmap-threshold: what may be said of a heap in `build`, `record` and `run` alike."""
    for added in (
            click.option("--mmap-threshold", type=click.IntRange(0, MOST_BYTES), metavar="B",
                         help="Requests of at least B bytes get their own mapping; below 4096 means 4096."),
            click.option("--arenas", type=click.IntRange(1, MOST_ARENAS), metavar="N",
                         help="Arenas that threads are spread over."),
            click.option("--policy", type=click.Choice(POLICIES), metavar="P", multiple=True, callback=the_only,
                         help=f"Placement policy: {', '.join(POLICIES)}.")):
        function = added(function)
    return function


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
