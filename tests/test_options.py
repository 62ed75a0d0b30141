"""Options and arguments, of every command alike: what is empty, and what is given again."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.types import UnprocessedParamType

from heapster.cli import main
from heapster.commands import COMMANDS

pytestmark = pytest.mark.usefixtures("empty_folder")
MEANT_TO_BE_EMPTY = {"covers"}          # without a word behind it: generated programs


def declared() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command, by the words that call it."""
    for name in COMMANDS:
        command = import_module(f"heapster.commands.usage.{name}").command
        yield (name,), command
        if isinstance(command, click.Group):
            yield from (((name, inner), one) for inner, one in command.commands.items())


def with_one_empty(words: tuple[str, ...], command: click.Command, empty: click.Parameter) -> list[str]:
    """A call of the command in which that option or argument is empty, and the other ones that it needs are not."""
    call = list(words)
    for param in command.params:
        if param is not empty and not param.required:
            continue
        choice = param.type.choices[0] if isinstance(param.type, click.Choice) else "x"
        value = "" if param is empty else str(choice)
        call += [param.opts[0], value] if isinstance(param, click.Option) else [value]
    return call


EMPTIED = [
    pytest.param(with_one_empty(words, command, param), id=" ".join((*words, param.opts[0])))
    for words, command in declared() for param in command.params
    if not getattr(param, "is_flag", False) and param.name not in MEANT_TO_BE_EMPTY
    and not isinstance(param.type, UnprocessedParamType | click.Choice)]


@pytest.mark.parametrize("call", EMPTIED)
def test_an_empty_text_names_nothing(call: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A variable that is not set must not come to mean this folder, or nothing."""
    assert main(call) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert any(word in said.err for word in ("empty", "''", "unknown"))


@pytest.mark.parametrize(("call", "said"), [
    ("run --policy first_fit --policy best_fit -- true", "'--policy': it is given 2 times, and a heap has one"),
    ("view x --policy first_fit,best_fit", "--policy names 2, and one heap is shown: name one"),
    ("exhaust sim --sizes auto --sizes 24", "auto stands alone"),
    ("diff x --targets sim --targets sym", "unknown target 'sym'"),
    ("mutate --by prove --by zzz", "--by prove,zzz"),
])
def test_what_is_given_again_is_never_dropped(call: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(call.split()) == 2
    assert said in capsys.readouterr().err


def test_lists_that_are_given_again_go_on(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    once = "fuzz --examples 1 --seed 1 --no-faults --policy"
    assert main([*once.split(), "best_fit,next_fit"]) == 0
    together = capsys.readouterr().out
    assert main([*once.split(), "best_fit", "--policy", "next_fit"]) == 0
    assert capsys.readouterr().out == together
    monkeypatch.setenv("HEAPSTER_POLICY", "best_fit, next_fit")
    assert main(once.split()[:-1]) == 0
    assert capsys.readouterr().out == together


@pytest.mark.parametrize(("call", "code", "said"), [
    (["findings", "--store", "t.txt"], 2, "--store t.txt is no folder"),
    (["describe", "."], 4, ". is a folder: name a header in it"),
    (["fuzz", "t.txt"], 2, "'t.txt' is a file of no kind that is judged"),
    (["view", "a = malloc(1)", "--at", "7"], 2, "--at 7: the trace has steps 1 to 1"),
])
def test_what_is_there_but_is_not_what_is_asked_for_is_said_to_be_so(
        call: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("t.txt").write_text("hello\n", encoding="utf-8")
    assert main(call) == code
    assert said in capsys.readouterr().err
