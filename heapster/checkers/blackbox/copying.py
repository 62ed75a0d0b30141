"""Variants of how much a C source copies: of the other block, without a header, or the less of two sizes."""

import re
from collections import Counter
from collections.abc import Iterator

from heapster.checkers.blackbox.edits import alternatives, around
from heapster.checkers.blackbox.scopes import Scopes
from heapster.checkers.blackbox.tokens import Token
from heapster.checkers.blackbox.variant_list import VariantList
from heapster.checkers.blackbox.wholes import Wholes

COPIES = frozenset({"memcpy", "memmove"})
OF_HEADERS = re.compile(r"[-+]\s*((?:\d\s*\*\s*)?[A-Z_]{2,}[A-Z_\d]*|sizeof\s*\([^()]*\)|sizeof \*?\w+|8|16|32)"
                        r"\s*(?=[;),])")
MOST_TERMS, MOST_SIZES = 3, 4   # that a source adds or takes away; variables


class CopyVariants:
    """Varies the lengths of copies."""

    def __init__(self, text: str, tokens: list[Token], wholes: Wholes, made: VariantList, scopes: Scopes) -> None:
        self._source, self._tokens, self._wholes, self._made, self._scopes = text, tokens, wholes, made, scopes
        found = Counter(" ".join(term.split()) for term in OF_HEADERS.findall(text))
        self._terms = [term for term, _ in found.most_common(MOST_TERMS)]

    def vary(self, index: int, closing: int) -> None:
        """Add what a call that copies might copy of instead, if it is one."""
        spans = self._wholes.arguments(index + 1, closing) if self._tokens[index].text in COPIES else []
        if len(spans) != 3:
            return
        first, last = (self._tokens[at] for at in spans[2])
        whole, n = Token("other", self._source[first.at:last.end], first.at), self._made.next
        others = [other for other in dict.fromkeys(self._lengths(" ".join(whole.text.split()), first.at))
                  if other != whole.text]
        edits = around(first.at, f"({alternatives(n, others)}(", last.end, "))", n)
        for k, other in enumerate(others):
            self._made.add(whole, other, edits if k == 0 else [], 1, 3)

    def _lengths(self, now: str, at: int) -> Iterator[str]:
        here = [name for name, kind in reversed(self._scopes.variables(at).items()) if not kind.endswith("*")]
        sizes = here[:MOST_SIZES]
        rooms = [f"{name} - {term}" for name in sizes for term in self._terms]
        yield from (f"({other} < {now} ? {other} : {now})" for other in sizes if other != now)
        yield from rooms
        yield from (f"({room} < {now} ? {room} : {now})" for room in rooms if not room.startswith(f"{now} "))
