"""What functions ask of others, noted: the proofs of those that pass a call on."""

from collections.abc import Callable
from typing import Any

from heapster.checkers.proofs.layout_spec import a_block


class Notes:
    """Who was asked for what, in order."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []
        self.held: list[int] = []               # how many locks were held each time

    def answering(self, **answers: Any) -> dict[str, Callable[..., Any]]:
        """Functions of these names that note what they are asked, and answer that; of a list one after the other."""
        return {name: self._noting(name, answer) for name, answer in answers.items()}

    def _noting(self, name: str, answer: Any) -> Callable[..., Any]:
        def noted(m: Any, *words: Any) -> Any:
            self.done.append((name, *words))
            self.held.append(len(m.held) if hasattr(m, "held") else 0)
            return answer.pop(0) if isinstance(answer, list) else answer
        return noted

    def are(self, *done: tuple[Any, ...]) -> bool:
        """Whether just these were asked, in this order."""
        return len(self.done) == len(done) and all(
            len(one) == len(other) and all(bool(a == b) for a, b in zip(one, other, strict=True))
            for one, other in zip(self.done, done, strict=True))


def or_null(path: Any, name: str) -> Any:
    """Some block, or NULL."""
    return a_block(path, name) if path.choose(2) else 0
