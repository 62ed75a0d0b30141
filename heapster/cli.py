"""The command line. The exit code is that of the worst verdict; see `EXIT_CODES`."""

import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from shutil import get_terminal_size

import click

from heapster import __version__, signals
from heapster.commands import COMMANDS, GROUPS
from heapster.config import check_environment, from_files
from heapster.extras import bringing
from heapster.files import UNPRINTED, exhausted
from heapster.results import TargetError, UsageError
from heapster.suggest import instead_of

EXIT_CODES = {
    0: "all held",
    1: "a finding",
    2: "usage",
    3: "inconclusive",
    4: "the target cannot be used",
    5: "nothing ran",
    70: "an internal error",
    130: "interrupted, with results still written (143 by SIGTERM, 129 by SIGHUP)",
}

EXAMPLES = {
    "heapster fuzz mm.c": "what breaks a malloc lab, and the line",
    "heapster run -- python3 x.py": "a program on this allocator",
    "heapster replay ID": "a kept finding again",
}

COMPLETE = "_HEAPSTER_COMPLETE"     # what a shell sets that asks for completions
UNFINISHED = 2                  # the exit code where a disk is full, or another limit of the system was met
MAX_STREAM = 2                  # the highest descriptor of the three that every program has
LEAST_COLUMNS = 52              # for which click lays out help by itself
LONGEST_LINE = 400              # characters of an error's message


class _Formatter(click.HelpFormatter):
    """Leaves what is said of an option half of a narrow terminal."""

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        super().write_dl(list(rows), min(col_max, self.width // 2 - col_spacing), col_spacing)


class _Commands(click.Group):
    """The commands by name; what one does is imported when it runs, so that help is there at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"heapster.commands.usage.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str],
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            is_there = os.access(args[0], os.F_OK)
            instead = "did you mean heapster fuzz?" if is_there else instead_of(args[0], COMMANDS)
            raise UsageError(f"unknown command '{args[0]}': {instead}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        grouped = {name for names in GROUPS.values() for name in names}
        more = tuple(name for name in COMMANDS if name not in grouped)
        for title, names in {**GROUPS, **({"More": more} if more else {})}.items():
            with formatter.section(title):
                formatter.write_dl([(name, COMMANDS[name]) for name in names])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Examples"):
            formatter.write_dl(list(EXAMPLES.items()))
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in EXIT_CODES.items()])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="heapster", message="%(prog)s %(version)s")
@click.pass_context
def heapster(ctx: click.Context) -> None:
    """Heapster judges allocators: its own, and any malloc."""
    check_environment(os.environ)
    if ctx.invoked_subcommand:
        values = from_files(Path.cwd(), ctx.invoked_subcommand, COMMANDS)
        ctx.default_map = {ctx.invoked_subcommand: values}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code. Errors are one line on stderr, never a traceback."""
    _open_streams()
    UNPRINTED.clear()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        with signals.heard():
            code = _interruptible(arguments)
    except BrokenPipeError:             # whoever read the help has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:      # noqa: BLE001  the last resort: the user gets a line, we get the traceback
        from heapster.crash import saved  # noqa: PLC0415  not needed, so not loaded, where all is well
        return _fail(70, f"internal error: {type(error).__name__}: {error} ({saved(error)})")
    return UNFINISHED if UNPRINTED and code == 0 else code


def _open_streams() -> None:
    """Let what our caller has closed lead nowhere, rather than to the next file that is opened."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= MAX_STREAM:
        pass
    os.close(descriptor)
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  as long as we run
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115


def _interruptible(arguments: Sequence[str] | None) -> int:
    """Run it; if it ends before it has results of its own, the files that were asked for say that."""
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        code, why = signals.exit_code(), "interrupted"
    except (OSError, MemoryError) as error:
        code, why = UNFINISHED, exhausted(error)
        if not why or isinstance(error, BrokenPipeError):
            raise
    from heapster.commands.delivery import deliver_unfinished  # noqa: PLC0415  loaded if any command was
    deliver_unfinished(why)
    return _fail(code, why)


def _run(arguments: Sequence[str] | None) -> int:
    if COMPLETE in os.environ:
        from click.shell_completion import shell_complete  # noqa: PLC0415  no other run needs it
        return shell_complete(heapster, {}, "heapster", COMPLETE, os.environ[COMPLETE])
    given = list(sys.argv[1:] if arguments is None else arguments)
    click.Context.formatter_class = _Formatter
    try:
        with heapster.make_context("heapster", given, terminal_width=_narrow()) as ctx:
            code = heapster.invoke(ctx)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.ClickException as error:
        return _fail(2, error.format_message())
    except UsageError as error:
        return _fail(2, str(error))
    except TargetError as error:
        return _fail(4, str(error))
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("heapster"):
            raise
        brought = bringing(error.name)
        return _fail(4, f"{error.name} is not installed{f': {brought}' if brought else ''}; "
                        "heapster doctor says what is missing")
    return code if isinstance(code, int) else 0


def _narrow() -> int | None:
    """The columns of a terminal that is narrower than what click takes for the least; None of any other."""
    columns = get_terminal_size().columns
    return max(columns - 2, 1) if columns < LEAST_COLUMNS else None


def _fail(code: int, message: str) -> int:
    """Say in one line what is wrong; below it, indented, what somebody else says about it: a compiler."""
    first, _, quoted = message.partition("\n  ")
    line = " ".join(first.split())
    if len(line) > LONGEST_LINE:
        line = f"{line[:LONGEST_LINE // 2]} ... {line[-LONGEST_LINE // 2:]}"
    with suppress(OSError):
        sys.stderr.write(f"heapster: {line}\n" + (f"  {quoted}\n" if quoted else ""))
    return code

