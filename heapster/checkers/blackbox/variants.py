"""One-expression variants of a C source, all compiled at once: each is chosen by a number when the object runs.

The source is read as tokens, never parsed: a variant is a few words put around an operator, a constant, a name or a
condition, so that the line's number stays and a macro stays a macro. What does not compile is left out again.
"""

import re
from collections.abc import Iterable, Iterator

from heapster.checkers.blackbox.alternatives import (
    ARROW,
    MOST_VALUES,
    are_a_word_apart,
    are_of_a_family,
    neighbours_in,
    other_numbers,
    siblings_in,
    twins_of,
)
from heapster.checkers.blackbox.conditions import LOOSER, ConditionVariants
from heapster.checkers.blackbox.copying import CopyVariants
from heapster.checkers.blackbox.edits import TextEdit, alternatives, around
from heapster.checkers.blackbox.insertions import Insertions
from heapster.checkers.blackbox.outline import Outline
from heapster.checkers.blackbox.pointers import PointerVariants
from heapster.checkers.blackbox.scopes import Scopes
from heapster.checkers.blackbox.statements import StatementVariants
from heapster.checkers.blackbox.tokens import (
    KEYWORDS,
    Token,
    constants_of,
    in_code,
    outside_functions,
    partners,
    tokens_of,
)
from heapster.checkers.blackbox.variant_list import Variant, VariantList
from heapster.checkers.blackbox.wholes import Wholes

SHIFTED = {"<": 1, "<=": -1, ">": -1, ">=": 1}      # what its right side is moved by to take the equal in, or leave it
CALL_STEPS = (8, -8, 16, -16, 1, -1)      # bytes, or places in a table
ALONE_STEPS = (8, -8, 16, 1, -1)          # where a number stands for itself
NEAREST, NEAREST_WORDS, OTHER_TRUTH = (1, -1), ("1", "-1"), {"true": "false", "false": "true"}
STATEMENT = frozenset({";", "{", "}", ")", "else", "do", ""})       # before what is called for nothing that it answers
ODD_STEPS = (15, 7, 1, -1)      # bytes more or less in a sum, of no size of anything; and with those that are one
STEPS = (8, -8, 16, -16, 4, -4, *ODD_STEPS)
PASTED = re.compile(r"U?INT(?:8|16|32|64|MAX)_C")
ROUNDER = re.compile(r"(?i)(?:align|round)(?!ed)")      # the name of what rounds a size
SIZE_OF_TYPE = re.compile(r"\bsizeof ?\((?:struct |union )?[A-Za-z_]\w*\)")
NAMED_SIZE = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]+[^\n]*\b(?:sizeof|offsetof)\b", re.MULTILINE)
POINTERS = re.compile(r"^(?:[A-Za-z_]\w* +)+\* ?(\w+) *(?:=[^;()]*)?;", re.MULTILINE)       # of a file
NUMBERS = frozenset({"size_t", "int", "unsigned", "unsigned int", "long", "unsigned long", "uint32_t", "uint64_t"})
FEW_TERMS, FEW_LESS = 3, 2      # variables; members that something is held against
MOST_VARIANTS = 20000
FEW_VALUES, FEW_OTHERS = 4, 3   # the first other values of a constant, which are the likeliest; members, or bits
MOST_SIZES = 4                  # of types, that may have been forgotten
OPPOSED = frozenset({"<", "<=", ">", ">=", "==", "!=", "-", "="})
TIGHT = frozenset({"*", "/", "%", "(", "[", "->", ".", "++", "--"})      # operators that bind closer than a sum
ASSIGNS = frozenset({"=", "+=", "-=", "*=", "/=", "|=", "&=", "^=", "%=", "++", "--", "["})


class Variants:
    """The variants of one source text."""

    def __init__(self, text: str, base: int = 0, most: int = MOST_VARIANTS,
                 no_values: frozenset[str] = frozenset()) -> None:
        self.text, self.base = text, base
        self._made = VariantList(text, base, most)
        self.all = self._made.all
        self._tokens = tokens_of(text)
        self._partner = partners(self._tokens)
        self._wholes = Wholes(self._tokens, self._partner)
        self._statements = StatementVariants(text, self._tokens, self._wholes, self._made)
        self._scopes = Scopes(self._tokens, text)
        self._conditions = ConditionVariants(text, self._tokens, self._wholes, self._made, self._scopes)
        self._reckoned = PointerVariants(text, self._tokens, self._wholes, self._made, self._scopes)
        self._copies = CopyVariants(text, self._tokens, self._wholes, self._made, self._scopes)
        self._declarations = outside_functions(text, self._tokens)
        self._names = {token.text for token in self._tokens if token.kind == "name"}
        self._constants = constants_of(text)
        self._sizes = tuple(dict.fromkeys((*NAMED_SIZE.findall(text)[:FEW_OTHERS],       # a header's among them
                                           *SIZE_OF_TYPE.findall(text))))[:MOST_SIZES]
        self._signed_sizes = [f"{sign}(long){size}" for size in self._sizes for sign in ("-", "")]
        self.outline = Outline(text)
        self._in_macro = False                  # their words multiply where macros stand in each other
        self._rounders = [(name, at) for name, at in self.outline.functions if ROUNDER.search(name)
                          and self._takes(name) == 1]
        self._pointers = POINTERS.findall(text)
        self._siblings, self._neighbours = siblings_in(text), neighbours_in(text)
        self._members: dict[str, list[str]] = {}        # by type, as far as asked for
        no_values, behind = no_values | self.outline.no_values, -1
        for index, in_macro in in_code(self._tokens, text, self._partner):
            self._in_macro = in_macro
            if self._text(index) in no_values:              # what such a macro is handed may be gone
                behind = self._partner.get(index + 1, index)
            elif index > behind:
                self._at(index)
        for place in Insertions(self._tokens, self._partner, self._wholes, self._scopes).all():
            self._made.lacking(self._tokens[place.token].end, place)

    def source(self, left_out: Iterable[int] = ()) -> str:
        """The source with all variants in it, but for those left out."""
        return self._made.source(left_out)

    def mended(self, variant: Variant) -> str:
        """The line of a variant, as it would read."""
        start = self.outline.starts[variant.line - 1]
        line, at = self.outline.text_of(variant.line), variant.start - start
        return line[:at] + variant.after + line[at + len(variant.before):]

    def naming(self, word: str, function: str) -> set[int]:
        """The numbers of the variants of a function that bring in a word which it does not have."""
        if any(word in uses for name, uses in self.outline.uses if name == function):
            return set()
        named = re.compile(rf"\b{word}\b")
        return {one.number for one in self.all if named.search(one.after) and self.function_of(one) == function}

    def function_of(self, variant: Variant) -> str:
        """The function, or the macro, that a variant stands in."""
        return self.outline.function_around(variant.start)

    def _at(self, index: int) -> None:
        token = self._tokens[index]
        if self._is_fixed(index):
            return
        if not self._in_macro:
            self._whole(index)
        if token.kind == "number":
            others = [f"{value}{suffix}" for value, suffix in other_numbers(token.text, masks=self._is_mask(index))]
            named = self._in_macro and self.outline.function_around(token.at) in self._constants
            odd = [are_a_word_apart(token.text, other) for other in others]
            self._made.values(token, others, [int(named or n >= FEW_VALUES) for n in range(len(others))], odd=odd)
        elif token.kind == "name":
            self._name(index)
        elif token.text in SHIFTED:
            self._relation(token)
        elif token.text in ("+", "-", "&") and self._is_binary(index):
            (self._rounded_down if token.text == "&" else self._sign)(index)
        elif token.text == "=":
            self._rounded(index + 1)
        elif token.text in ("+=", "-="):
            self._sum(token)
        elif token.text in ("/", ">>", "<<"):
            self._moved_by_one(index + 1, self._wholes.operand_end(index + 1))
        elif token.text == "[" and not self._declares(index - 1):
            self._moved_by_one(index + 1, self._partner.get(index, 0) - 1)
        elif token.text == "!" and self._text(index + 1) != "=":
            self._made.replace(token, "", "HEAPSTER_IS({n}) != !", 1)

    def _is_fixed(self, index: int) -> bool:
        """Whether it is the size of an array, or a number whose digits are pasted to a suffix."""
        before, name = self._text(index - 1), self._text(index - 2)
        return before == "[" and self._declares(index - 2) or before == "(" and bool(PASTED.fullmatch(name))

    def _whole(self, index: int) -> None:
        """What starts at a token, or is told by it: a statement, what is handed on, what a loop or a choice asks."""
        if span := self._wholes.statement(index):
            self._statements.vary(span)
            self._conditions.guard(span)
        for first, last in self._wholes.values(index):
            self._and_more(first, last)
        self._reckoned.vary(index)
        asks = (self._wholes.choice_condition(index) if self._text(index) == "?" else
                self._wholes.loop_condition(index + 1) if self._text(index) == "for" else None)
        if asks:
            self._conditions.vary(asks, self._text(index), in_macro=self._in_macro)
        step = self._wholes.loop_step(index + 1) if asks and self._text(index) == "for" else None
        if asks and step and (compared := self._wholes.comparison(*asks)):
            self._conditions.a_round_earlier(compared, self._wholes.in_one_line(*step))

    def _name(self, index: int) -> None:
        token, before, after = self._tokens[index], self._text(index - 1), self._text(index + 1)
        if token.text in ("if", "while") and after == "(":
            self._conditions.vary((index + 2, self._partner.get(index + 1, index) - 1), token.text,
                                  in_macro=self._in_macro)
        elif token.text == "sizeof" and after == "(":
            self._sizeof(index)
        elif token.text == "NULL" and not self._in_macro:
            self._null(token, index)
        elif token.text in OTHER_TRUTH:
            self._made.values(token, [OTHER_TRUTH[token.text]], [0])
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
        self._made.instead(token, [f"{name}({token.text})" for name in self._neighbours_at(index)], guess=5)
        kind, opposite = self._scopes.variables(token.at)[token.text], self._opposite(index)
        others = [name for name in self._scopes.others(token.text, token.at) if name not in opposite]
        less = [f"({less})" for other in others[:2] if not kind.endswith("*")
                for less in (f"{token.text} - {other}", f"{other} - {token.text}")]
        loose, others = int(index < self._conditions.end), others[:MOST_VALUES]
        odd = [bool(loose) and not are_of_a_family(name, token.text) for name in others] + [True] * len(less)
        self._made.values(token, others + less, [loose] * len(others) + [1] * len(less), guess=2, odd=odd)
        if (before in ("(", ",") or before in ASSIGNS or before == "return") and after in (")", ",", ";"):
            members = [f"{token.text}->{member}" for member in self._members_of(kind)[:FEW_OTHERS]]
            steps = [f"{token.text} + {step}" for step in (*ALONE_STEPS, *self._signed_sizes)]
            self._made.instead(token, members if kind.endswith("*") else steps, guess=3)
            leaves = before not in ASSIGNS and not (before == "(" and self._text(index - 2) in self.outline.macros)
            further = self._other_numbers(token) if not kind.endswith("*") else (
                self._reckoned.handed_on(index) if leaves else [])
            self._made.instead(token, further, guess=4)

    def _neighbours_at(self, index: int) -> list[str]:
        """What the variable might be handed to first, as others are that stand where it does."""
        alone = self._text(index - 1) == "(" and self._text(index + 1) == ")"
        known = self._neighbours.get(self._text(index - 2)) or self._neighbours[""]
        defined, at = dict(self.outline.functions), self._tokens[index].at
        return [name for name in known if alone and defined.get(name, 0) < at]

    def _other_numbers(self, token: Token) -> list[str]:
        """Members that are numbers, and the less of the nearest and the variable: a block's size, and what is asked."""
        near = list(self._numbers_near(token))[:MOST_VALUES]
        return [*near, *(f"({other} < {token.text} ? {other} : {token.text})" for other in near[:FEW_LESS])]

    def _numbers_near(self, token: Token) -> Iterator[str]:
        """The members that are no pointers, of what pointers in scope point to, the nearest declared first."""
        for name, kind in reversed(self._scopes.variables(token.at).items()):
            for member in self._members_of(kind) if kind.endswith("*") else ():
                if not re.search(rf"\*\s*{member}\s*[,;]", self._declarations):
                    yield f"{name}->{member}"

    def _opposite(self, index: int) -> tuple[str, ...]:
        """What stands on the other side of a comparison, a difference or an assignment: it is not that on both."""
        return tuple(self._text(index + 2 * way) for way in (-1, 1) if self._text(index + way) in OPPOSED)

    def _members_of(self, kind: str) -> list[str]:
        """The members that variables of a type are asked for, with those of what lies in them."""
        if kind not in self._members:
            found = (self._chain(index + 2) for index, token in enumerate(self._tokens) if self._text(index + 1) == "->"
                     and self._scopes.variables(token.at).get(token.text) == kind)
            self._members[kind] = list(dict.fromkeys(found))
        return self._members[kind]

    def _chain(self, index: int) -> str:
        more = self._chain(index + 2) if self._text(index + 1) == "." else ""
        return f"{self._text(index)}.{more}" if more else self._text(index)

    def _constant(self, index: int) -> None:
        token = self._tokens[index]
        constants = sorted((name for name in self._constants if name != token.text),
                           key=lambda name: not are_of_a_family(name, token.text))
        near = [name for name, kind in self._scopes.variables(token.at).items() if not kind.endswith("*")][:MOST_VALUES]
        others = constants[:MOST_VALUES]
        ranks = [int(index < self._conditions.end or not are_of_a_family(name, token.text)) for name in others]
        times = [f"2 * {token.text}", "0"]
        bits = [f"{token.text} | {name}" for name in constants[:FEW_OTHERS]] if self._is_mask(index) else []
        less = [f"({token.text} {sign} {size})" for size in self._sizes if not self._in_macro for sign in "-+"]
        more = [*near, *times, *bits, *less]
        odd = [not are_of_a_family(name, token.text) for name in others] + [True] * len([*near, *times])
        odd += [False] * len(bits) + [self._is_mask(index)] * len(less)
        self._made.values(token, others + more, ranks + [1] * len(more), guess=2 if near else 0, odd=odd)

    def _is_mask(self, index: int) -> bool:
        before = self._text(index - 1 if self._text(index - 1) != ")" else self._wholes.opener(index - 1) - 1)
        return before in ("&", "~", "&=") or before == "(" and self._text(index - 2) == "~"

    def _declares(self, index: int) -> bool:
        """Whether the name at an index is being declared: a type stands before it."""
        before = self._tokens[index - 1]
        return before.kind == "name" and before.text not in ("return", "else", "do", "case", "sizeof")

    def _moved_by_one(self, first: int, last: int) -> None:
        """An index, a quotient, or what is shifted by: one more, and one less."""
        if last < first or self._text(last + 1) in TIGHT:
            return
        start, end, n = self._tokens[first].at, self._tokens[last].end, self._made.next
        more = f" + (HEAPSTER_IS({n}) ? 1 : HEAPSTER_IS({n + 1}) ? -1 : 0)"
        whole, place = Token("other", self.text[start:end], start), self._text(last + 1) == "]"
        edits = around(start, "(" if place else "", end, ")" + more if place else more, n, 1)
        for number, step in enumerate(NEAREST):
            self._made.add(whole, f"{whole.text} {'+-'[step < 0]} 1", edits if number == 0 else [], 1, 1)

    def _rounded(self, first: int) -> None:
        """What is assigned: rounded as the source rounds elsewhere."""
        last = first
        while self._text(last) not in (";", ",", ")", "", "{"):
            last = self._partner.get(last, last) + 1
        if self._in_macro or last == first or self._text(last) != ";":
            return
        start, end = self._tokens[first].at, self._tokens[last - 1].end
        whole = self.text[start:end]
        for name in (name for name, at in self._rounders if at < start):
            n = self._made.next
            choice = f"(HEAPSTER_IS({n}) ? {name}({self._wholes.in_one_line(first, last - 1)}) : ("
            self._made.add(Token("other", whole, start), f"{name}({whole})", around(start, choice, end, "))", n), 1, 3)

    def _rounded_down(self, index: int) -> None:
        """What bits are cleared of: rounded up by them instead."""
        token, last = self._tokens[index], self._wholes.operand_end(index + 2)
        if self._text(index + 1) == "~" and last > index + 1:
            n, mask = self._made.next, self._wholes.in_one_line(index + 2, last)
            edit = TextEdit(token.at, 0, f"+ (HEAPSTER_IS({n}) ? ({mask}) : 0) ", n, 5)
            self._made.add(token, f"+ {mask} &", [edit], 0, 1)

    def _sum(self, token: Token) -> None:
        """What is added or taken away: some bytes more or less."""
        number = self._made.next
        more = alternatives(number, STEPS[:6])
        for n, step in enumerate(STEPS[:6]):
            edit = TextEdit(token.at, len(token.text), f"{token.text} ({more}0) +", number, 5)
            self._made.add(token, f"{token.text} {step} +", [edit] if n == 0 else [], 1, 1, odd=step in ODD_STEPS)

    def _text(self, index: int) -> str:
        return self._tokens[index].text if 0 <= index < len(self._tokens) else ""

    def _is_binary(self, index: int) -> bool:
        before = self._tokens[index - 1]
        return before.kind in ("number",) or before.text in (")", "]") or (
            before.kind == "name" and before.text not in KEYWORDS)

    def _sign(self, index: int) -> None:
        token, number = self._tokens[index], self._made.next
        other = "-" if token.text == "+" else "+"
        steps = STEPS[:6] if self._in_macro else (*STEPS, *self._sizes)
        more = alternatives(number + 2, (f"({step})" for step in steps), "(long)")
        text = f"{token.text} ({more}0) {token.text} (HEAPSTER_IS({number}) ? -1 : HEAPSTER_IS({number + 1}) ? 0 : 1) *"
        self._made.add(token, other, [TextEdit(token.at, 1, text, number, 5)], 0, 1)
        self._made.add(token, f"{token.text} 0 *", [], 1, 1, odd=True)
        for step in steps:
            self._made.add(token, f"{token.text} {step} {token.text}", [], int(step not in self._sizes), 1,
                      odd=step in ODD_STEPS)

    def _relation(self, token: Token) -> None:
        number = self._made.next
        steps = () if self._in_macro else STEPS
        moves = (SHIFTED[token.text], *steps)
        more = alternatives(number, moves)
        text = f"{token.text} ({more}0) +"
        self._made.add(token, LOOSER[token.text], [TextEdit(token.at, len(token.text), text, number, 5)], 0)
        for step in steps:
            self._made.add(token, f"{token.text} {step} +", [], 1, odd=step in ODD_STEPS)

    def _sizeof(self, index: int) -> None:
        closing = self._partner.get(index + 1)
        if closing is None:
            return
        token = self._tokens[index]
        whole = Token("name", self.text[token.at:self._tokens[closing].end], token.at)
        sizes = () if self._in_macro else (*self._sizes, *self._constants)
        others = [name for name in sizes if name != whole.text][:MOST_VALUES]
        values = [f"2 * {whole.text}", f"{whole.text} / 2", *others, "0"]
        self._made.values(whole, values, [0] * (len(values) - 1) + [1], odd=[True, True])

    def _call(self, index: int) -> None:
        closing = self._partner.get(index + 1)
        token = self._tokens[index]
        if closing is None:
            return
        macro = self.outline.function_around(token.at)
        taken = len(self._wholes.arguments(index + 1, closing))
        for other in twins_of(token.text, self._names - {macro}):
            if self._takes(other) not in (None, taken):
                continue
            number = self._made.next
            place = self._text(closing + 1) in ASSIGNS or self._text(index - 1) == "&"
            before, address = ("(*", "&") if place else ("(", "")           # of what is a place, its address
            again = self._wholes.in_one_line(index + 1, closing)
            choice = f"{before}(HEAPSTER_IS({number}) ? {address}{other}{again} : {address}"
            self._made.add(token, other, around(token.at, choice, self._tokens[closing].end, "))", number, 1), 0)
        self._swapped(index, closing)
        self._unapplied(index, closing)
        self._copies.vary(index, closing)
        is_number = self._text(closing + 1) not in ASSIGNS and not self._wholes.is_truth(index, closing)
        if self._text(index - 1) not in STATEMENT and not self._in_macro and is_number:
            self._and_more(index, closing)

    def _swapped(self, index: int, closing: int) -> None:
        """A call with its first two arguments the other way round."""
        spans = self._wholes.arguments(index + 1, closing)
        if len(spans) < 2 or self._in_macro:
            return
        token, (first, second) = self._tokens[index], (self._wholes.in_one_line(*span) for span in spans[:2])
        if first != second:
            rest, n = self._wholes.in_one_line(spans[1][1] + 1, closing), self._made.next
            other = f"{token.text}({second}, {first}{rest}"
            edits = around(token.at, f"(HEAPSTER_IS({n}) ? {other} : ", self._tokens[closing].end, ")", n, 1)
            self._made.add(Token("name", self.text[token.at:self._tokens[closing].end], token.at), other, edits, 1, 6)

    def _unapplied(self, index: int, closing: int) -> None:
        """What a neighbour is found of, in place of the neighbour."""
        by = ARROW if self._text(closing + 1) == ARROW else self._text(index - 2)
        if self._text(index) in self._neighbours.get(by, ()) and closing == index + 3:
            token, n, inner = self._tokens[index], self._made.next, self._text(index + 2)
            whole = Token("name", self.text[token.at:self._tokens[closing].end], token.at)
            edits = around(token.at, f"(HEAPSTER_IS({n}) ? {inner} : ", whole.end, ")", n, 1)
            self._made.add(whole, inner, edits, 1, 5)

    def _takes(self, name: str) -> int | None:
        """How many arguments a function or macro of the source takes; None if it does not say."""
        index = next((n for n, token in enumerate(self._tokens) if token.text == name and self._text(n + 1) == "("
                      and (self._text(n - 1) == "define" or self._declares(n) or self._text(n - 1) == "*")), -1)
        closing = self._partner.get(index + 1) if index >= 0 else None
        return None if closing is None else len(self._wholes.arguments(index + 1, closing))

    def _and_more(self, first: int, last: int) -> None:
        """What is handed on, and some bytes more or less."""
        start, end = self._tokens[first].at, self._tokens[last].end
        whole = self.text[start:end]
        terms = self._terms(start, whole) if self._text(first - 1) in ("=", ",") else []
        number, steps = self._made.next, (*map(str, CALL_STEPS), *self._signed_sizes, *terms)
        more = alternatives(number, steps)
        edits = around(start, "(", end, f" + ({more}0))", number, 1)
        for n, step in enumerate(steps):
            self._made.add(Token("name", whole, start), f"({whole} + {step})", edits if n == 0 else [], 1, 3,
                      odd=step in NEAREST_WORDS)

    def _terms(self, at: int, whole: str) -> list[str]:
        """What may have been forgotten to take away from an expression: the numbers nearest to it."""
        near = [name for name, kind in reversed(self._scopes.variables(at).items())
                if kind in NUMBERS and not re.search(rf"\b{name}\b", whole)][:FEW_TERMS]
        return [f"-(long){name}" for name in near]

    def _null(self, token: Token, index: int) -> None:
        """NULL, where something is compared with it: another pointer that there is."""
        pointers = [name for name, kind in reversed(self._scopes.variables(token.at).items()) if kind.endswith("*")]
        if self._text(index - 1) in ("==", "!=") or self._text(index + 1) in ("==", "!=") or self._handed_alone(index):
            others = [name for name in (*self._pointers, *pointers) if name not in self._opposite(index)]
            self._made.values(token, others[:MOST_VALUES], [1] * MOST_VALUES, guess=1)

    def _handed_alone(self, index: int) -> bool:
        """Whether a macro that takes nothing else is handed it, in a comparison."""
        return self._text(index - 1) == "(" and self._text(index + 1) == ")" and self._text(index - 3) in ("==", "!=")

    def _member(self, index: int) -> None:
        token, first = self._tokens[index], index
        while self._text(first - 1) in ("->", ".") and self._tokens[first - 2].kind == "name":
            first -= 2
        if first == index or self._text(index + 1) == "(":
            return
        whole = self.text[self._tokens[first].at:token.at]
        kind = self._scopes.variables(token.at).get(self._text(first), "") if first == index - 2 else ""
        twins = list(dict.fromkeys((*twins_of(token.text, self._names), *self._siblings.get(token.text, ()))))
        members = self._members_of(kind) if kind else []
        others = [name for name in members if name not in (token.text, *twins)][:MOST_VALUES]
        n, at = self._made.next, self._tokens[first].at
        choice = alternatives(n, [*twins, *others], f"(__typeof__(&{whole}{token.text}))&{whole}")
        edit = TextEdit(at, token.end - at, f"(*({choice}&{whole}{token.text}))", n, 5)
        for k, other in enumerate([*twins, *others]):
            self._made.add(token, other, [edit] if k == 0 else [], int(k >= len(twins)), 2 if others else 0)
