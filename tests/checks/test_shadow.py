"""Nothing of the shadow of live blocks may be changed without a witness that notices."""

import subprocess
from pathlib import Path

import pytest

from heapster.checkers.blackbox.build import SOURCES
from heapster.checkers.blackbox.protocol import headers_folder
from tests.checks.c_mutants import c_mutants, variants

HERE = Path(__file__).parent
NAMES = ("bits", "shift", "shadow_start", "within", "last_granule", "whole_bytes", "any_set", "shadow_take",
         "shadow_release")
MAPPED = ("mmap(FAR_AWAY(4), (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, "
          "0);")
WHOLE = ("static uint64_t whole_bytes(uint64_t granule, uint64_t last) { return granule % 8 == 0 ? "
         "(last + 1 - granule) / 8 : 0; }")
UNSEEN = {                      # changes that make no difference: why
    "uint64_t size = (uint64_t)1 << (ADDRESS_BITS - shift - 3);: 1 -> 2": "more is reserved",
    "uint64_t size = (uint64_t)1 << (ADDRESS_BITS - shift - 3);: 3 -> 2": "more is reserved",
    **{f"{MAPPED}: {change}": why for change, why in {
        "4 -> 5": "it lies elsewhere", "4 -> 3": "it lies elsewhere", "1 -> 2": "of no file nothing is read",
        "1 -> 0": "of no file nothing is read"}.items()},
    f"{WHOLE}: % -> /": "it only takes more time",
    f"{WHOLE}: 1 -> 0": "it only takes more time",
    f"{WHOLE}: 8 -> 9 (2)": "it only takes more time",
    "for (; n >= sizeof word; n -= sizeof word, from += sizeof word) {: >= -> >": "it only takes more time",
    "granule += 8 * n;: 8 -> 7 (2)": "it only takes more time",
}


def passing(sources: list[str], folder: Path) -> list[int]:
    """The numbers of the shadows that do as a slow one does."""
    table = ", ".join(f"{{ shadow_start_{n}, shadow_take_{n}, shadow_release_{n} }}" for n in range(len(sources)))
    source, program = folder / "shadows.c", folder / "shadows"
    witness = (HERE / "c" / "shadow_witness.c").read_text(encoding="utf-8").replace("{VARIANTS}", f"{{{table}}}")
    source.write_text(variants(sources, NAMES) + "\n" + witness, encoding="utf-8")
    places = [f"-I{SOURCES}", f"-I{headers_folder()}"]
    subprocess.run(["cc", "-std=gnu11", "-O1", "-w", *places, str(source), "-o", str(program)],
                   check=True)
    said = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout
    return [int(line) for line in said.split()]


@pytest.mark.faults
def test_every_change_of_the_shadow_is_noticed(tmp_path: Path) -> None:
    shipped = (SOURCES / "shadow.c").read_text(encoding="utf-8")
    changes = [*c_mutants(shipped)]
    assert len(changes) > 50
    passed = passing([shipped, *(change.text for change in changes)], tmp_path)
    assert passed[0] == 0, "the shadow as it ships does as a slow one does"
    found = [changes[number - 1].name for number in passed[1:]]
    assert [name for name in found if name not in UNSEEN] == [], "no witness notices"
    assert [name for name in UNSEEN if name not in found] == [], "it is noticed now, or no longer there"
