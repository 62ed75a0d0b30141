"""The known word that someone may have meant."""

from collections.abc import Iterable


def instead_of(word: str, known: Iterable[str]) -> str:
    """How to mend `word`: the nearest of the known words, or all of them if none is near."""
    from difflib import get_close_matches  # noqa: PLC0415  needed only where a word is wrong
    words = list(known)
    near = get_close_matches(word, words, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]}?"
    return f"choose from {', '.join(words)}"
