"""C headers generated from the constants of `impl` and from the table of operations, so that they are written once."""

from inspect import getdoc, isfunction

import heapster
from heapster.impl import layout, placement
from heapster.machine.protocol import SYSTEM_CALLS
from heapster.native.operations_header import OPERATIONS_H, calls_header, operations_header, words_header

INVARIANTS = (                      # what `impl.verify` aborts with
    "BLOCKS_TILE_THEIR_REGION", "SIZES_ARE_LEGAL", "NO_TWO_FREE_NEIGHBOURS", "BOUNDARY_TAGS_AGREE",
    "FLAGS_AGREE_WITH_NEIGHBOURS", "OWNERS_ARE_RIGHT", "FENCES_END_THEIR_REGIONS",
    "THE_TOP_REGION_ENDS_AT_THE_BREAK", "FREE_LIST_IS_EXACTLY_THE_FREE_BLOCKS",
    "FREE_LIST_IS_LINKED_BOTH_WAYS", "CURSOR_IS_ON_THE_LIST", "LEDGERS_EQUAL_RECOMPUTED_TOTALS",
    "MAPPED_LIST_IS_LINKED_BOTH_WAYS", "MAPPED_BLOCKS_FIT_THEIR_MAPPINGS",
    "BINS_HOLD_BLOCKS_OF_THEIR_SIZE", "STACKS_COUNT_THEIR_BLOCKS", "KEPT_MAPPINGS_KEEP_TO_THEIR_BOUNDS",
    "FREE_BLOCKS_ARE_IN_THEIR_CLASS", "CLASSES_ARE_MARKED_WHILE_THEY_HAVE_BLOCKS",
)
HARDENED_INVARIANTS = ("THE_TABLE_LEADS_TO_EACH_RECORD", "SLOTS_ARE_COUNTED", "WAITING_SLOTS_ARE_TAKEN")
ABORT_NAMES = {getattr(layout, name): name.lower() for name in (*INVARIANTS, *HARDENED_INVARIANTS)} | {
    layout.DOUBLE_FREE: "double free",
    layout.INVALID_POINTER: "invalid pointer",
    layout.CORRUPT_HEADER: "corrupt header (written past the end of a block?)",
    layout.CORRUPT_LIST: "corrupt free list (written to after free?)",
    layout.OVERFLOW: "overflow (written past the end of a block)",
    layout.WRITE_AFTER_FREE: "write after free",
    layout.WRONG_SIZE: "wrong size (free_sized with another size or alignment than the block was asked for?)",
    layout.USE_AFTER_FREE: "use of a freed block",
}


def policies() -> dict[str, str]:
    """The policies in the order of their numbers, and the first sentence of what each says of itself, as a phrase.

    They are the functions of `impl.placement` that `impl.layout` has numbers for.
    """
    found = {name: function for name, function in vars(placement).items()
             if isfunction(function) and hasattr(layout, name.upper())}
    said = {name: (getdoc(function) or "").split(".")[0] for name, function in found.items()}
    return {name: said[name][:1].lower() + said[name][1:]
            for name in sorted(found, key=lambda name: int(getattr(layout, name.upper())))}


def public_header(template: str) -> str:
    """`heapster.h`, with the version and the policies filled in."""
    known = policies()
    default = list(known)[layout.DEFAULT_POLICY]
    enumerators = ",\n".join(
        f"    /* {said}{'; the default' * (name == default)} */\n    HEAPSTER_{name.upper()} = {number}"
        for number, (name, said) in enumerate(known.items()))
    return (template.replace("@VERSION@", heapster.__version__).replace("@POLICIES@", "|".join(known))
            .replace("/* @ENUMERATORS@ */", enumerators.lstrip()))


def generated() -> dict[str, str]:
    """The headers that C sources of ours include and nobody has written, by their names."""
    return {"layout.h": layout_header(), OPERATIONS_H: operations_header(), "words.h": words_header(),
            "calls.h": calls_header()}


def layout_header() -> str:
    """`layout.h`: the constants of `impl.layout`; the names of policies, system calls and abort codes."""
    defines = [f"#define {name} {_literal(value)}" for name, value in sorted(vars(layout).items())
               if name.isupper() and isinstance(value, int) and name not in CLASHING]
    names = ", ".join(f'[{code}] = "{name}"' for code, name in sorted(ABORT_NAMES.items()))
    quoted = ", ".join(f'"{name}"' for name in policies())
    return "\n".join([
        "/* Generated from heapster/impl/layout.py. */",
        "#ifndef HEAPSTER_LAYOUT_H",
        "#define HEAPSTER_LAYOUT_H",
        f"#define WORD_BYTES {layout.WORD}",
        *defines,
        f"#define SYSTEM_CALLS {', '.join(SYSTEM_CALLS).upper()}",
        f"#define POLICY_NAMES {quoted}",
        f'#define POLICY_LIST "{", ".join(policies())}"',
        f"#define ABORT_NAMES {{{names}}}",
        "#endif",
        ""])


CLASHING = frozenset({"NULL", "WORD", "EINVAL", "ENOMEM"})      # C has its own


def _literal(value: int) -> str:
    """In C, -N is a minus before N, which the least word's has no room for."""
    return f"{value}L" if value >= 0 else f"({value + 1}L - 1)"
