"""Variants of what a C source reckons with pointers: in bytes or in elements, from a block's header or behind it."""

from collections.abc import Iterator

from heapster.checkers.blackbox.edits import around
from heapster.checkers.blackbox.scopes import Scopes
from heapster.checkers.blackbox.tokens import Token
from heapster.checkers.blackbox.variant_list import VariantList
from heapster.checkers.blackbox.wholes import Span, Wholes

BYTES = frozenset({"char", "unsigned char", "uint8_t", "int8_t", "void", "byte", "u8", "U8"})     # one each
BYTE = "(char *)"
BYTE_STEPS = ("8", "-8", "16", "-16")         # a header of one word or two
PRODUCT = frozenset({"*", "/", "%"})
SUMS = frozenset({"+", "-"})
BEFORE_SUM = frozenset({"(", "[", ",", ";", "{", "}", "=", "return", "else", "?", ":", "&&", "||", "==", "!=", "<", ">",
                        "<=", ">="})


class PointerVariants:
    """Varies sums of pointers and numbers, and pointers that are handed on."""

    def __init__(self, text: str, tokens: list[Token], wholes: Wholes, made: VariantList, scopes: Scopes) -> None:
        self._source, self._tokens, self._wholes, self._made, self._scopes = text, tokens, wholes, made, scopes

    def vary(self, index: int) -> None:
        """Add the sum that starts at a token, of a pointer or of one that is cast, counted in the other measure."""
        if self._text(index - 1) not in BEFORE_SUM:
            return
        kind, pointer = self._cast(index) or self._plain(index)
        sign = pointer[1] + 1
        inner = self._wholes.in_one_line(*pointer)
        for sum_of, last in self._sums(sign) if kind else ():
            if kind not in BYTES:
                self._instead((index, last), f"({kind} *)({BYTE}({inner}) {sum_of})", f"{BYTE}{inner} {sum_of}")
            elif pointer[0] > index and self._kind(pointer) not in ("", *BYTES):
                self._instead((index, last), f"({kind} *)(({inner}) {sum_of})", f"{inner} {sum_of}")

    def _sums(self, sign: int) -> Iterator[tuple[str, int]]:
        """What is added behind a pointer, and its last token: the first term, and all of them if there are more."""
        sums = list[tuple[str, int]]()
        while self._text(sign) in SUMS and (last := self._term_end(sign + 1)) > sign:
            before = f"{sums[-1][0]} " if sums else ""
            sums.append((f"{before}{self._text(sign)} ({self._wholes.in_one_line(sign + 1, last)})", last))
            sign = last + 1
        yield from dict.fromkeys((*sums[:1], *sums[-1:]))

    def handed_on(self, index: int) -> list[str]:
        """What might be handed on in place of a pointer: what lies behind its header, or is the header of it."""
        name = self._text(index)
        kind = self._kind((index, index))
        steps = BYTE_STEPS if kind in BYTES else ("1", "-1")
        return [f"{BYTE}{name} + {step}" if kind in BYTES else f"{name} + {step}" for step in steps] if kind else []

    def _instead(self, span: Span, other: str, shown: str) -> None:
        start, end, n = self._tokens[span[0]].at, self._tokens[span[1]].end, self._made.next
        whole = Token("other", self._source[start:end], start)
        self._made.add(whole, shown, around(start, f"(HEAPSTER_IS({n}) ? {other} : ", end, ")", n), 1, 5)

    def _plain(self, index: int) -> tuple[str, Span]:
        """A pointer of the function's, and the type that it points to; no type, where it is none."""
        return self._kind((index, index)), (index, index)

    def _cast(self, index: int) -> tuple[str, Span] | None:
        """What is cast to a pointer at a token, and the type that it then points to."""
        closing = self._wholes.closing(index) if self._text(index) == "(" else index
        if closing - index < 3 or self._text(closing - 1) != "*" or any(
                self._tokens[at].kind != "name" for at in range(index + 1, closing - 1)):
            return None
        last = self._wholes.operand_end(closing + 1)
        return (self._wholes.in_one_line(index + 1, closing - 2), (closing + 1, last)) if last > closing else None

    def _kind(self, span: Span) -> str:
        """What a variable points to; nothing, if it is no pointer of one star."""
        variables = self._scopes.variables(self._tokens[span[0]].at) if span[0] == span[1] else {}
        kind = variables.get(self._text(span[0]), "")
        return kind[:-1] if kind.endswith("*") and not kind.endswith("**") else ""

    def _term_end(self, first: int) -> int:
        """The last token of a term: an operand, and what it is multiplied by."""
        last = self._factor_end(first)
        while last >= first and self._text(last + 1) in PRODUCT:
            behind = self._factor_end(last + 2)
            last = behind if behind >= last + 2 else first - 1
        return last

    def _factor_end(self, first: int) -> int:
        if self._text(first) == "sizeof" and self._text(first + 1) == "(":
            return self._wholes.closing(first + 1)
        return self._wholes.operand_end(first)

    def _text(self, index: int) -> str:
        return self._tokens[index].text if 0 <= index < len(self._tokens) else ""
