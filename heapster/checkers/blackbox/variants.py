"""One-expression variants of a C source, all compiled at once: each is chosen by a number when the object runs.

The source is read as tokens, never parsed: a variant is a few words put around an operator, a constant, a name or a
condition, so that the line's number stays and a macro stays a macro. What does not compile is left out again.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from heapster.checkers.blackbox.alternatives import MOST_VALUES, other_numbers, twins_of
from heapster.checkers.blackbox.scopes import Scopes
from heapster.checkers.blackbox.tokens import (
    KEYWORDS,
    Token,
    constants_of,
    end_of_directive,
    in_code,
    partners,
    renamed_by_macros,
    tokens_of,
)

HEAD = ("#ifndef HEAPSTER_HEAD\n#define HEAPSTER_HEAD\n"
        "extern unsigned heapster_choice; extern unsigned char *heapster_seen; "
        "__attribute__((weak)) unsigned heapster_choice; __attribute__((weak)) unsigned char *heapster_seen;\n"
        "static __attribute__((noinline, unused, no_sanitize(\"thread\"))) int HEAPSTER_IS(unsigned n) "
        "{ if (heapster_seen) heapster_seen[n] = 1; return heapster_choice == n; }\n#endif\n")
LOOSER = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
SHIFTED = {"<": 1, "<=": -1, ">": -1, ">=": 1}      # what its right side is moved by to take the equal in, or leave it
CALL_STEPS = (8, -8, 16, -16, 1, -1)      # bytes, or places in a table
ALONE_STEPS = (8, -8, 16, 1, -1)          # where a number stands for itself
NEAREST = (1, -1)
STATEMENT = frozenset({";", "{", "}", ")", "else", "do", ""})       # before what is called for nothing that it answers
STEPS = (8, -8, 4, -4, 16, -16, 15, 7, 1, -1)     # bytes more or less in a sum: a word, or to round up by
FUNCTION = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(?P<macro>\w+)|^[A-Za-z_][\w\s*]*?\b(?P<name>\w+)\s*\([^;{}]*\)\s*\{",
                      re.MULTILINE)
ROUNDER = re.compile(r"(?i)(?:align|round)(?!ed)")      # the name of what rounds a size
SIZE_OF_TYPE = re.compile(r"\bsizeof ?\((?:struct |union )?[A-Za-z_]\w*\)")
MOST_VARIANTS = 9000
FEW_VALUES = 4                  # the first other values of a constant, which are the likeliest
FEW_OTHERS = 3                  # other members; other bits of a mask
OPPOSED = frozenset({"<", "<=", ">", ">=", "==", "!=", "-", "="})
TIGHT = frozenset({"*", "/", "%", "(", "[", "->", ".", "++", "--"})      # operators that bind closer than a sum
ASSIGNS = frozenset({"=", "+=", "-=", "*=", "/=", "|=", "&=", "^=", "%=", "++", "--", "["})


class Variant(NamedTuple):
    """One expression written otherwise."""

    number: int
    line: int
    before: str                 # what stands there
    after: str                  # what would
    start: int                  # offset of it in the source
    rank: int                   # how much it changes: an operator or a constant least, a whole condition most
    guess: int = 0              # how little says that it compiles: the most is left out first


class TextEdit(NamedTuple):
    """Words put in at an offset, or in place of `length` characters."""

    at: int
    length: int
    text: str
    number: int
    order: int                  # of what stands at the same offset: wrappers outside


class Variants:
    """The variants of one source text."""

    def __init__(self, text: str, base: int = 0, most: int = MOST_VARIANTS) -> None:
        self.text, self.base = text, base
        self.all: list[Variant] = []
        self._edits: list[list[TextEdit]] = []      # of each
        self._most = most
        self._tokens = tokens_of(text)
        self._partner = partners(self._tokens)
        self._names = {token.text for token in self._tokens if token.kind == "name"}
        self._constants = constants_of(text)
        self._sizes = tuple(dict.fromkeys(SIZE_OF_TYPE.findall(text)))[:FEW_OTHERS]     # a header's among them
        self._lines = _line_starts(text)
        self._condition_end = 0                 # index of the token that ends the last condition so far
        self._in_macro = False                  # their words multiply where macros stand in each other
        self._heads = list(FUNCTION.finditer(text))
        self._rounders = [head for head in self._heads if ROUNDER.search(head["macro"] or head["name"])
                          and self._takes(head["macro"] or head["name"]) == 1]
        self._other_names = renamed_by_macros(text)
        self.macros = {head["macro"]: text[head.end():end_of_directive(text, head.start())] for head in self._heads
                       if head["macro"]}        # their bodies, by name
        self._scopes = Scopes(self._tokens, text)
        self._members: dict[str, list[str]] = {}        # by type, as far as asked for
        for index, in_macro in in_code(self._tokens, text, self._partner):
            self._in_macro = in_macro
            self._at(index)

    def source(self, left_out: Iterable[int] = ()) -> str:
        """The source with all variants in it, but for those left out."""
        out = frozenset(left_out)
        edits = sorted((edit for number, some in enumerate(self._edits, self.base + 1) if number not in out
                        for edit in some), key=lambda edit: (edit.at, edit.order))
        parts, at = [], 0
        for edit in edits:
            if edit.at < at:
                continue
            parts += [self.text[at:edit.at], edit.text]
            at = edit.at + edit.length
        return HEAD + "#line 1\n" + "".join(parts) + self.text[at:]

    def mended(self, variant: Variant) -> str:
        """The line of a variant, as it would read."""
        start = self._lines[variant.line - 1]
        end = self.text.find("\n", start)
        line = self.text[start:end if end >= 0 else None]
        at = variant.start - start
        return line[:at] + variant.after + line[at + len(variant.before):]

    def text_of(self, line: int) -> str:
        """A line of the source."""
        return self.text.splitlines()[line - 1] if line <= self.text.count("\n") else ""

    def function_at(self, line: int) -> str:
        """The function, or the macro, that a line stands in."""
        return self._function_at(self._lines[min(line, len(self._lines)) - 1])

    def statement_of(self, line: int) -> range:
        """The lines from the end of the statement before one on."""
        lines = self.text.splitlines()[:line - 1]
        ends = (number for number in range(len(lines), 0, -1) if lines[number - 1].rstrip().endswith((";", "{", "}")))
        return range(next(ends, 0) + 1, line + 1)

    def function_of(self, variant: Variant) -> str:
        """The function, or the macro, that a variant stands in."""
        return self._function_at(variant.start)

    def _function_at(self, at: int) -> str:
        heads = [match for match in self._heads if match.start() <= at]
        return str(heads[-1]["macro"] or heads[-1]["name"]) if heads else ""

    def compiled_name(self, function: str) -> str:
        """What a function is called in the object, as a lab's malloc may be mm_malloc there."""
        return str(self._other_names.get(function, function))

    # Where something may be written otherwise.

    def _at(self, index: int) -> None:
        token = self._tokens[index]
        if self._text(index - 1) == "[" and self._declares(index - 2):
            return                              # the size of an array
        if token.kind == "number":
            others = [f"{value}{suffix}" for value, suffix in other_numbers(token.text, masks=self._is_mask(index))]
            named = self._in_macro and self._function_at(token.at) in self._constants       # it is used in many places
            self._values(token, others, [int(named or n >= FEW_VALUES) for n in range(len(others))])
        elif token.kind == "name":
            self._name(index)
        elif token.text in SHIFTED:
            self._relation(token)
        elif token.text in ("+", "-") and self._is_binary(index):
            self._sign(index)
        elif token.text == "=":
            self._rounded(index + 1)
        elif token.text in ("+=", "-="):
            self._sum(token)
        elif token.text in ("/", ">>", "<<"):
            self._moved_by_one(index + 1, self._operand_end(index + 1))
        elif token.text == "[" and not self._declares(index - 1):
            self._moved_by_one(index + 1, self._partner.get(index, 0) - 1)
        elif token.text == "!" and self._text(index + 1) != "=":
            self._replace(token, "", "HEAPSTER_IS({n}) != !", 1)

    def _name(self, index: int) -> None:
        token, before, after = self._tokens[index], self._text(index - 1), self._text(index + 1)
        if token.text in ("if", "while") and after == "(":
            self._condition(index + 1, token.text)
        elif token.text == "sizeof" and after == "(":
            self._sizeof(index)
        elif token.text in KEYWORDS:
            return
        elif before in ("->", "."):
            self._member(index)
        elif after == "(":
            self._call(index)
        elif token.text in self._scopes.variables(token.at):
            self._variable(index)
        elif token.text in self._constants:
            self._constant(index)

    def _variable(self, index: int) -> None:
        token, before, after = self._tokens[index], self._text(index - 1), self._text(index + 1)
        if before in ("&", "++", "--", "*") or after in ASSIGNS or self._declares(index):
            return
        kind, opposite = self._scopes.variables(token.at)[token.text], self._opposite(index)
        others = [name for name in self._scopes.others(token.text, token.at) if name not in opposite]
        less = [f"({token.text} - {other})" for other in others[:2] if not kind.endswith("*")]
        loose, others = int(index < self._condition_end), others[:MOST_VALUES]
        self._values(token, others + less, [loose] * len(others) + [1] * len(less), guess=2)
        if (before in ("(", ",") or before in ASSIGNS or before == "return") and after in (")", ",", ";"):
            members = [f"{token.text}->{member}" for member in self._members_of(kind)[:FEW_OTHERS]]
            steps = [f"{token.text} + {step}" for step in ALONE_STEPS]
            self._instead(token, members if kind.endswith("*") else steps, guess=3)

    def _opposite(self, index: int) -> tuple[str, ...]:
        """What stands on the other side of a comparison, a difference or an assignment: it is not that on both."""
        return tuple(self._text(index + 2 * way) for way in (-1, 1) if self._text(index + way) in OPPOSED)

    def _members_of(self, kind: str) -> list[str]:
        """The members that variables of a type are asked for."""
        found = (self._text(index + 2) for index, token in enumerate(self._tokens) if self._text(index + 1) == "->"
                 and self._scopes.variables(token.at).get(token.text) == kind)
        if kind not in self._members:
            self._members[kind] = list(dict.fromkeys(found))
        return self._members[kind]

    def _constant(self, index: int) -> None:
        token = self._tokens[index]
        constants = [name for name in self._constants if name != token.text]
        near = list(self._scopes.variables(token.at))[:MOST_VALUES]
        loose, others = int(index < self._condition_end), constants[:MOST_VALUES]
        times = [f"2 * {token.text}", "0"]
        bits = [f"{token.text} | {name}" for name in constants[:FEW_OTHERS]] if self._is_mask(index) else []
        more = [*near, *times, *bits]
        self._values(token, others + more, [loose] * len(others) + [1] * len(more), guess=2 if near else 0)

    def _is_mask(self, index: int) -> bool:
        before = self._text(index - 1)
        return before in ("&", "~", "&=") or before == "(" and self._text(index - 2) == "~"

    def _declares(self, index: int) -> bool:
        """Whether the name at an index is being declared: a type stands before it."""
        before = self._tokens[index - 1]
        return before.kind == "name" and before.text not in ("return", "else", "do", "case", "sizeof")

    def _operand_end(self, index: int) -> int:
        """The last token of the operand that starts at an index; before it, if that is not told."""
        if self._text(index) == "(":
            closing = self._partner.get(index, index - 1)
            return max(closing, self._operand_end(closing + 1)) if self._is_name(closing + 1) else closing
        if not self._is_name(index):
            return index - 1
        while self._text(index + 1) in ("(", "[", "->", "."):
            index = self._partner.get(index + 1, index + 1) if self._text(index + 1) in ("(", "[") else index + 2
        return index

    def _is_name(self, index: int) -> bool:
        return index < len(self._tokens) and (self._tokens[index].kind in ("name", "number")) and (
            self._text(index) not in KEYWORDS)

    def _moved_by_one(self, first: int, last: int) -> None:
        """An index, a quotient, or what is shifted by: one more, and one less."""
        if last < first or self._text(last + 1) in TIGHT:
            return
        start, end, n = self._tokens[first].at, self._tokens[last].end, self.base + len(self.all) + 1
        edits = [TextEdit(end, 0, f" + (HEAPSTER_IS({n}) ? 1 : HEAPSTER_IS({n + 1}) ? -1 : 0)", n, 0)]
        whole = Token("other", self.text[start:end], start)
        if self._text(last + 1) == "]":
            edits = [TextEdit(start, 0, "(", n, 1), edits[0]._replace(text=")" + edits[0].text)]
        for number, step in enumerate(NEAREST):
            self._add(whole, f"{whole.text} {'+-'[step < 0]} 1", edits if number == 0 else [], 1, 1)

    def _rounded(self, first: int) -> None:
        """What is assigned: rounded as the source rounds elsewhere."""
        last = first
        while self._text(last) not in (";", ",", ")", "", "{"):
            last = self._partner.get(last, last) + 1
        if self._in_macro or last == first or self._text(last) != ";":
            return
        start, end = self._tokens[first].at, self._tokens[last - 1].end
        whole = self.text[start:end]
        for name in (head["macro"] or head["name"] for head in self._rounders if head.start() < start):
            n = self.base + len(self.all) + 1
            choice = f"(HEAPSTER_IS({n}) ? {name}({self._in_one_line(first, last - 1)}) : ("
            edits = [TextEdit(start, 0, choice, n, 0), TextEdit(end, 0, "))", n, 1)]
            self._add(Token("other", whole, start), f"{name}({whole})", edits, 1, 3)

    def _sum(self, token: Token) -> None:
        """What is added or taken away: some bytes more or less."""
        number = self.base + len(self.all) + 1
        more = "".join(f"HEAPSTER_IS({number + n}) ? {step} : " for n, step in enumerate(STEPS[:6]))
        for n, step in enumerate(STEPS[:6]):
            edit = TextEdit(token.at, len(token.text), f"{token.text} ({more}0) +", number, 5)
            self._add(token, f"{token.text} {step} +", [edit] if n == 0 else [], 1, 1)

    def _in_one_line(self, first: int, last: int) -> str:
        """Words that stand twice then: the second time without the lines' ends, so that what follows keeps its line."""
        return " ".join(token.text for token in self._tokens[first:last + 1])

    def _text(self, index: int) -> str:
        return self._tokens[index].text if 0 <= index < len(self._tokens) else ""

    def _is_binary(self, index: int) -> bool:
        before = self._tokens[index - 1]
        return before.kind in ("number",) or before.text in (")", "]") or (
            before.kind == "name" and before.text not in KEYWORDS)

    def _values(self, token: Token, others: list[str], ranks: list[int], guess: int = 0) -> None:
        """A word that is one value, and others that it might be."""
        first = self.base + len(self.all) + 1
        choice = "".join(f"HEAPSTER_IS({first + n}) ? {other} : " for n, other in enumerate(others))
        for n, other in enumerate(others):
            edit = TextEdit(token.at, len(token.text), f"({choice}{token.text})", first, 5)
            self._add(token, other, [edit] if n == 0 else [], ranks[n], guess)

    def _instead(self, token: Token, others: list[str], guess: int) -> None:
        """Other values of a word, beside those of another kind: each kind may be left out."""
        first = self.base + len(self.all) + 1
        choice = "".join(f"HEAPSTER_IS({first + n}) ? {other} : " for n, other in enumerate(others))
        for n, other in enumerate(others):
            edits = [TextEdit(token.at, 0, f"({choice}", first, 1), TextEdit(token.end, 0, ")", first, 0)]
            self._add(token, other, edits if n == 0 else [], 1, guess)

    def _replace(self, token: Token, after: str, text: str, rank: int) -> None:
        number = self.base + len(self.all) + 1
        self._add(token, after, [TextEdit(token.at, len(token.text), text.format(n=number), number, 5)], rank)

    def _sign(self, index: int) -> None:
        token, number = self._tokens[index], self.base + len(self.all) + 1
        other = "-" if token.text == "+" else "+"
        steps = STEPS[:4] if self._in_macro else (*STEPS, *self._sizes)
        more = "".join(f"HEAPSTER_IS({number + 2 + n}) ? (long)({step}) : " for n, step in enumerate(steps))
        text = f"{token.text} ({more}0) {token.text} (HEAPSTER_IS({number}) ? -1 : HEAPSTER_IS({number + 1}) ? 0 : 1) *"
        self._add(token, other, [TextEdit(token.at, 1, text, number, 5)], 0, 1)
        self._add(token, f"{token.text} 0 *", [], 1, 1)
        for step in steps:
            self._add(token, f"{token.text} {step} {token.text}", [], int(step not in self._sizes), 1)

    def _relation(self, token: Token) -> None:
        number = self.base + len(self.all) + 1
        steps = () if self._in_macro else STEPS
        moves = (SHIFTED[token.text], *steps)
        more = "".join(f"HEAPSTER_IS({number + n}) ? {move} : " for n, move in enumerate(moves))
        text = f"{token.text} ({more}0) +"
        self._add(token, LOOSER[token.text], [TextEdit(token.at, len(token.text), text, number, 5)], 0)
        for step in steps:
            self._add(token, f"{token.text} {step} +", [], 1)

    def _sizeof(self, index: int) -> None:
        closing = self._partner.get(index + 1)
        if closing is None:
            return
        token = self._tokens[index]
        whole = Token("name", self.text[token.at:self._tokens[closing].end], token.at)
        self._values(whole, [f"2 * {whole.text}", f"{whole.text} / 2", "0"], [0, 0, 1])

    def _call(self, index: int) -> None:
        closing = self._partner.get(index + 1)
        token = self._tokens[index]
        if closing is None:
            return
        whole = self.text[token.at:self._tokens[closing].end]
        macro = self._function_at(token.at)
        taken = self._arguments(index + 1, closing)
        for other in twins_of(token.text, self._names - {macro}):
            if self._takes(other) not in (None, taken):
                continue
            number = self.base + len(self.all) + 1
            place = self._text(closing + 1) in ASSIGNS or self._text(index - 1) == "&"
            before, address = ("(*", "&") if place else ("(", "")           # of what is a place, its address
            again = self._in_one_line(index + 1, closing)
            choice = f"{before}(HEAPSTER_IS({number}) ? {address}{other}{again} : {address}"
            self._add(token, other, [TextEdit(token.at, 0, choice, number, 1),
                                     TextEdit(self._tokens[closing].end, 0, "))", number, 0)], 0)
        if self._text(index - 1) not in STATEMENT and not self._in_macro and self._text(closing + 1) not in ASSIGNS:
            self._call_and_more(whole, token.at, self._tokens[closing].end)

    def _arguments(self, opening: int, closing: int) -> int:
        """How many expressions, at most, stand between two brackets."""
        count, index = int(closing > opening + 1), opening + 1
        while index < closing:
            count += self._text(index) == ","
            index = self._partner.get(index, index) + 1
        return count

    def _takes(self, name: str) -> int | None:
        """How many arguments a function or macro of the source takes; None if it does not say."""
        index = next((n for n, token in enumerate(self._tokens) if token.text == name and self._text(n + 1) == "("
                      and (self._text(n - 1) == "define" or self._declares(n) or self._text(n - 1) == "*")), -1)
        closing = self._partner.get(index + 1) if index >= 0 else None
        return None if closing is None else self._arguments(index + 1, closing)

    def _call_and_more(self, whole: str, start: int, end: int) -> None:
        """What a call answers, and some bytes more or less."""
        number = self.base + len(self.all) + 1
        more = "".join(f"HEAPSTER_IS({number + n}) ? {step} : " for n, step in enumerate(CALL_STEPS))
        edits = [TextEdit(start, 0, "(", number, 1), TextEdit(end, 0, f" + ({more}0))", number, 0)]
        for n, step in enumerate(CALL_STEPS):
            self._add(Token("name", whole, start), f"({whole} + {step})", edits if n == 0 else [], 1, 3)

    def _member(self, index: int) -> None:
        token, first = self._tokens[index], index
        while self._text(first - 1) in ("->", ".") and self._tokens[first - 2].kind == "name":
            first -= 2
        if first == index or self._text(index + 1) == "(":
            return
        whole = self.text[self._tokens[first].at:token.at]
        kind = self._scopes.variables(token.at).get(self._text(first), "") if first == index - 2 else ""
        twins = list(twins_of(token.text, self._names))
        members = self._members_of(kind) if kind else []
        others = [name for name in members if name not in (token.text, *twins)][:FEW_OTHERS]
        n, at = self.base + len(self.all) + 1, self._tokens[first].at
        choice = "".join(f"HEAPSTER_IS({n + k}) ? (__typeof__(&{whole}{token.text}))&{whole}{other} : "
                         for k, other in enumerate([*twins, *others]))
        edit = TextEdit(at, token.end - at, f"(*({choice}&{whole}{token.text}))", n, 5)
        for k, other in enumerate([*twins, *others]):
            self._add(token, other, [edit] if k == 0 else [], int(k >= len(twins)), 2 if others else 0)

    def _condition(self, opening: int, word: str) -> None:
        closing = self._partner.get(opening)
        if closing is None:
            return
        self._condition_end = max(self._condition_end, closing)
        for first, last in _operands(self._tokens, self._partner, opening, closing):
            self._operand(first, last, alone=(first, last) == (opening + 1, closing - 1), word=word)

    def _operand(self, first: int, last: int, *, alone: bool, word: str) -> None:
        start, end = self._tokens[first].at, self._tokens[last].end
        whole, n = Token("other", self.text[start:end], start), self.base + len(self.all) + 1
        values = f"HEAPSTER_IS({n + 1}) ? 0 : HEAPSTER_IS({n + 2}) ? 1 : " if word == "if" or not alone else ""
        edits = [TextEdit(start, 0, f"({values}HEAPSTER_IS({n}) != !!(", n, 0), TextEdit(end, 0, "))", n, 0)]
        self._add(whole, f"!({whole.text})", edits, 1)
        if values:
            self._add(whole, "0", [], 2)
            self._add(whole, "1", [], 2)

    def _add(self, token: Token, after: str, edits: list[TextEdit], rank: int, guess: int = 0) -> None:
        if len(self.all) >= self._most:
            return
        line = self.text.count("\n", 0, token.at) + 1
        self.all.append(Variant(self.base + len(self.all) + 1, line, token.text, after, token.at, rank,
                                guess))
        self._edits.append(edits)


def _line_starts(text: str) -> list[int]:
    return [0, *(match.end() for match in re.finditer("\n", text))]


def _operands(tokens: list[Token], partner: dict[int, int], opening: int, closing: int) -> Iterator[tuple[int, int]]:
    """First and last token of each operand of a condition's outermost && or ||; of the whole, if there is none."""
    first, index = opening + 1, opening + 1
    while index < closing:
        if tokens[index].text in ("&&", "||"):
            yield first, index - 1
            first = index + 1
        index = partner.get(index, index) + 1
    if first < closing:
        yield first, closing - 1
