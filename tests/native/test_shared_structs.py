"""What Python and C share lies the same in both, or the driver does not compile."""

import ctypes
import subprocess
from enum import IntEnum
from pathlib import Path
from typing import Annotated, NamedTuple

import pytest

from heapster.native.shared_structs import I32, U8, U32, U64, enum_of, header, packing, structs


class Pair(NamedTuple):
    """A record without gaps."""

    first: U32
    second: I32
    words: Annotated[tuple[int, int], ctypes.c_uint64 * 2]


class Gappy(NamedTuple):
    """One that C would put a gap into."""

    flag: U8
    word: U64


class Loose(NamedTuple):
    """One that does not say how wide it is."""

    word: int


class Colour(IntEnum):
    """Two."""

    RED, BLUE = 3, 7


SOURCE = """
#include <stdio.h>
#include "shared.h"
int main(void) {
    struct pair pair = {1, -2, {RED, BLUE}};
    return fwrite(&pair, sizeof pair, 1, stdout) != 1;
}
"""


def compiled(folder: Path, lines: list[str]) -> subprocess.CompletedProcess[bytes]:
    """What the compiler says of a program with this in its header."""
    (folder / "shared.h").write_text(header("shared.h", "a test", lines))
    (folder / "tell.c").write_text(SOURCE)
    return subprocess.run(["cc", folder / "tell.c", "-o", folder / "tell"], capture_output=True, check=False)


def test_python_reads_what_c_wrote(tmp_path: Path) -> None:
    assert compiled(tmp_path, [*structs({"pair": Pair}), *enum_of("colour", Colour)]).returncode == 0
    said = subprocess.run([tmp_path / "tell"], capture_output=True, check=True).stdout
    assert packing(Pair).unpack(said) == (1, -2, Colour.RED, Colour.BLUE)


def test_a_struct_that_c_lays_out_otherwise_does_not_compile(tmp_path: Path) -> None:
    refused = compiled(tmp_path, [*structs({"pair": Pair, "gappy": Gappy}), *enum_of("colour", Colour)])
    assert refused.returncode
    assert b"Python knows its size" in refused.stderr


def test_a_field_says_how_wide_it_is() -> None:
    with pytest.raises(TypeError, match=r"Loose\.word: nothing says how wide it is"):
        packing(Loose)
