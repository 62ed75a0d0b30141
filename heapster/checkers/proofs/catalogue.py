"""All proofs, in the order in which they are run, and what is only assumed."""

from heapster.checkers.proofs import Assumption, Proof, Theorem, block, freelist, layout, placement, region
from heapster.results import UsageError
from heapster.suggest import instead_of

PROOFS: tuple[Proof, ...] = (*layout.PROOFS, *block.PROOFS, *freelist.PROOFS, *placement.PROOFS, *region.PROOFS)
ASSUMED: tuple[Assumption, ...] = ()


def theorems(proofs: tuple[Proof, ...] = PROOFS) -> list[Theorem]:
    """What the proofs show."""
    return [theorem for proof in proofs for theorem in proof.theorems()]


def selected(names: tuple[str, ...], *, thorough: bool) -> tuple[Proof, ...]:
    """The proofs of the named theorems, functions or files; of all, without a name."""
    if not names:
        return tuple(proof for proof in PROOFS if thorough or not proof.thorough)
    chosen: list[Proof] = []
    for name in names:
        found = [proof for proof in PROOFS if _answers_to(proof, name)]
        if not found:
            raise UsageError(f"no theorem is called {name}; {instead_of(name, _known())}")
        chosen += [proof for proof in found if proof not in chosen]
    return tuple(chosen)


def _answers_to(proof: Proof, name: str) -> bool:
    return name in (proof.of, proof.of.partition(".")[0]) or any(t.name == name for t in proof.theorems())


def _known() -> list[str]:
    return [t.name for t in theorems()] + [proof.of for proof in PROOFS]
