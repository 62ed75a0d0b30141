"""A harness as a folder: the C program, how it is built, what it starts from, and a dictionary."""

import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from heapster.checkers.blackbox.build import SOURCES, judge_program
from heapster.checkers.blackbox.corpus import Corpus
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.probing import learn
from heapster.checkers.blackbox.reproducer import PRELUDE, TYPES, Reproducer
from heapster.checkers.blackbox.seed_corpus import basics
from heapster.checkers.blackbox.target import ForeignTarget
from heapster.checkers.harness.carrying import carry
from heapster.checkers.harness.coding import MOST_OPS, OP_BYTES, encoded, verbs_of
from heapster.checkers.targets.making import CPLUSPLUS
from heapster.checkers.targets.opening import resolve
from heapster.files import write_whole
from heapster.model.operation import Step, Trace
from heapster.model.operations import ALIGNING, OPERATIONS, REQUESTS, RESIZING
from heapster.model.spec import Promises
from heapster.results import TargetError, UsageError

DRIVER = Path(__file__).parent / "c" / "driver.c"
RENAMED = "target_"             # before the names that libc has too
SECONDS_TO_HANG = 5
LARGEST = 1 << 24               # bytes of the largest request among the seeds
NO_SOURCES = ("a harness is compiled with the target, and of {} there are no C sources: give them (mm.c, or a "
              "description whose `sources` names them)")


class Fuzzer(NamedTuple):
    """Who drives the harness."""

    compiler: str               # of the target
    compiling: str              # flags of it for the target
    linking: str                # and for the program
    run: str                    # how it is started
    crashes: str = "crashes"    # where it puts what it finds


FUZZERS = {
    "libfuzzer": Fuzzer("clang", "-fsanitize=fuzzer-no-link", "-fsanitize=fuzzer",
                        f"./harness -dict=dictionary -max_len={OP_BYTES * MOST_OPS} -artifact_prefix=crashes/ corpus"),
    "afl": Fuzzer("afl-clang-fast", "", "", "afl-fuzz -x dictionary -i corpus -o crashes -- ./harness @@",
                  "crashes/default/crashes"),
    "honggfuzz": Fuzzer("hfuzz-clang", "", "", "honggfuzz -w dictionary -i corpus --crashdir crashes -- "
                        "./harness ___FILE___"),
}


def write_harness(options: ForeignOptions, fuzzer: str, out: Path) -> tuple[ForeignTarget, int]:
    """Write the folder; the target, and how many seeds there are.

    Raises TargetError for a target without C sources, UsageError for a folder that holds something else.
    """
    target = resolve(options)
    check_sources(target)
    with Judge(judge_program(target.bits), target) as judge:
        promises = learn(judge, options.alignment).promises
    _prepare(out)
    text = _Harness(target, promises).text()
    write_whole(out / "harness.c", text)
    write_whole(out / "build.sh", "\n".join(build_lines(target, FUZZERS[fuzzer], out)) + "\n")
    (out / "build.sh").chmod(0o755)
    verbs = verbs_of(target.verbs)
    write_whole(out / "dictionary", "".join(f"{line}\n" for line in dictionary(verbs)))
    seeds = {encoded(trace, verbs) for trace in _seeds(options, target)} - {b""}
    for number, data in enumerate(sorted(seeds)):
        (out / "corpus" / f"{number:04}").write_bytes(data)
    return target, len(seeds)


def check_sources(target: ForeignTarget) -> None:
    """TargetError for what no harness can be made of."""
    if target.ingredients is None:
        raise TargetError(NO_SOURCES.format(target.name))
    if any(Path(source).suffix in CPLUSPLUS for source in target.ingredients.sources):
        raise TargetError(f"a harness is C, and {target.name} has sources in C++: build them into a library with "
                          "C names, and fuzz that with heapster fuzz")
    if target.bits != 64 or target.low:
        raise TargetError(f"a harness has 64 bits, and {target.name} was written for 32")


def _prepare(out: Path) -> None:
    if out.exists() and not out.is_dir() or out.is_dir() and any(out.iterdir()) and not (out / "harness.c").exists():
        raise UsageError(f"-o {out}: it is there, and holds no harness: name a folder that is new")
    try:
        for name in ("corpus", "crashes"):
            (out / name).mkdir(parents=True, exist_ok=True)
        for old in (out / "corpus").iterdir():
            if old.name.isdigit():
                old.unlink()
    except OSError as error:
        raise UsageError(f"-o {out}: {error.strerror}") from None


def _seeds(options: ForeignOptions, target: ForeignTarget) -> Iterator[Trace]:
    yield from basics(target.verbs, min(LARGEST, target.room // 4) if target.room else LARGEST)
    if options.corpus is not None:
        yield from (kept.trace for kept in Corpus(options.corpus).traces)


def dictionary(verbs: tuple[str, ...]) -> Iterator[str]:
    """A whole operation of each function, in the form that libFuzzer, AFL++ and honggfuzz read."""
    for number, verb in enumerate(verbs):
        for size in (0, 1, 24, 4096):
            if size == 24 or OPERATIONS[verb].numbers:
                yield f'{verb}_{size}="' + "".join(f"\\x{byte:02x}" for byte in (number, 0, *_low_high(size))) + '"'


def _low_high(size: int) -> bytes:
    return encoded((Step("malloc", (size,), 0),), ("malloc",))[2:]


def build_lines(target: ForeignTarget, fuzzer: Fuzzer, out: Path) -> Iterator[str]:
    """The script that builds the program; what it compiles is copied into the folder."""
    assert target.ingredients is not None
    carried = carry(target.ingredients, out)
    flags = [*carried.flags, *_renamed(target)]
    yield "#!/bin/sh"
    yield "# Builds ./harness; then, in this folder:"
    yield f"#     {fuzzer.run}"
    yield f"# What it finds: heapster replay {fuzzer.crashes}/FILE --target {shlex.quote(target.name)} --bytes"
    yield "set -e"
    yield 'cd "$(dirname "$0")"'
    yield f"CC=${{CC:-{fuzzer.compiler}}}"
    for number, source in enumerate(carried.sources):
        how = f"-g -O1 -fno-builtin -w {fuzzer.compiling} {shlex.join(flags)}"
        yield f"$CC {how} -c {shlex.quote(source)} -o t{number}.o"
    own = f"-DLIBFUZZER={int(fuzzer is FUZZERS['libfuzzer'])}"
    objects = " ".join(f"t{number}.o" for number, _ in enumerate(target.ingredients.sources))
    yield f"${{HOST_CC:-cc}} -g -O1 -w {own} -c harness.c -o harness.o"
    libraries = shlex.join([*target.ingredients.libraries, "-ldl", "-lpthread"])
    yield f"$CC {fuzzer.linking} {objects} harness.o -o harness {libraries}"


def _renamed(target: ForeignTarget) -> list[str]:
    """Flags that give the target's functions names of their own, as libc's have theirs in the program."""
    return [f"-D{symbol}={RENAMED}{symbol}" for symbol in _libc_names(target)]


def _libc_names(target: ForeignTarget) -> list[str]:
    return [symbol for verb, symbol in target.symbols.items() if symbol == _own_name(verb)]


def _own_name(verb: str) -> str:
    return "malloc_usable_size" if verb == "usable_size" else verb


class _Harness(Reproducer):
    """The text of the program: the reproducers' checks, with calls that are chosen as it runs."""

    def __init__(self, target: ForeignTarget, promises: Promises) -> None:
        super().__init__(target, (), "", promises, "", usable=True)
        self._verbs = verbs_of(target.verbs)

    def text(self) -> str:
        """All of it."""
        account = (SOURCES / "account.h").read_text()
        prelude = PRELUDE.read_text().replace("_exit(", "crash(")
        return "\n".join([f"/* A harness for {self._target.name}: heapster harness wrote it. */", *self._settings(),
                          account, prelude, *self._memory(), *self._calls(), *self._start(),
                          DRIVER.read_text().lstrip("\n")])

    def _settings(self) -> list[str]:
        promises = self._promises
        names = ", ".join(f"VERB_{verb}" for verb in self._verbs)
        extra = "" if "usable_size" in self._verbs else ", VERB_usable_size = -1"
        return [
            "#define _GNU_SOURCE", "#include <signal.h>", "#include <stddef.h>", "#include <stdint.h>",
            "#include <stdlib.h>", "#include <unistd.h>", *self._outside(), *self._beside(),
            f"#define HANDLES {MOST_OPS}", f"#define ALIGNMENT {promises.alignment}",
            f"#define SMALL_BLOCKS {int(promises.small_blocks)}", "#define SAYS_WHY(h) 1",
            f"#define OWN_CHECK() {self._checker()}", "#define MAY_HANG 1", "#define FILLED_MOST 4096",
            "#define MUST_GIVE(h) 0", "#define MUST_REFUSE(h) 0", f"#define SECONDS_TO_HANG {SECONDS_TO_HANG}",
            "/* Whatever is wrong ends in a crash, which is what fuzzers look for. */",
            "static void crash(int status)", "{", "    (void)status;", "    signal(SIGABRT, SIG_DFL);", "    abort();",
            "}",
            f"enum verb {{ {names}, VERBS{extra} }};",
            f"#define VERB_TAKES(verb) ({_any(self._verbs, _takes)})",
            f"#define VERB_GIVES(verb) ({_any(self._verbs, REQUESTS)})",
            *self._declarations()]

    def _checker(self) -> str:
        if "check" not in self._target.symbols or not self._target.check_means:
            return "(void)0"
        return "(t_check(0) == 0 ? fail(\"the target's own heap checker says no\") : (void)0)"

    def _declarations(self) -> Iterator[str]:
        renamed = _libc_names(self._target)
        wanted = [*self._verbs, *(verb for verb in ("init", "check") if verb in self._target.symbols)]
        for verb in wanted:
            symbol = self._target.symbols[verb]
            name = f"{RENAMED}{symbol}" if symbol in renamed else symbol
            pointer = "usable_size" if verb == "usable_size" else f"t_{verb}"
            yield "extern " + TYPES[verb].replace("(*{})", name) + ";"
            yield f"static {TYPES[verb].replace('(*', '(*const ').format(pointer)} = {name};"
        if "usable_size" not in self._verbs:
            yield "static size_t (*const usable_size)(void *) = NULL;"

    def _calls(self) -> list[str]:
        lines = ["", "static void call(enum verb verb, int h, int old, size_t size, size_t alignment)", "{",
                 "    void *pointer = old >= 0 ? account_pointer(&account, old) : NULL, *answer = NULL;",
                 "    int live = old >= 0 && account_is_live(&account, old) ? old : -1;",
                 "    (void)alignment, (void)live, (void)h;", "    switch (verb) {"]
        for verb in self._verbs:
            lines += [f"    case VERB_{verb}:", f'        now = "{verb}";',
                      *(f"        {line}" for line in _case(verb)), "        break;"]
        return [*lines, "    default:", "        break;", "    }", "}"]

    def _start(self) -> list[str]:
        start = {"malloc-lab": ["    mem_init();"], "described": ["    start_bounds();"]}.get(self._target.shape, [])
        bounds = []
        if self._target.shape == "described":
            bounds = ["void heapster_adapter_bounds(struct fence *) __attribute__((weak));",
                      "static void start_bounds(void)", "{", "    if (heapster_adapter_bounds != NULL) {",
                      "        heapster_adapter_bounds(&fence);", "        fence_start();", "    }", "}"]
        if "init" in self._target.symbols:
            checked = ["    if (t_init(NULL, NULL) != 0)", '        fail("its initialisation fails");']
            start = [*start, *(checked if self._target.init_answers else ["    t_init(NULL, NULL);"])]
        return ["", *bounds, "static void start_target(void)", "{", *start, "}", ""]


def _takes(verb: str) -> bool:
    return OPERATIONS[verb].operand


def _any(verbs: Iterable[str], wanted: object) -> str:
    chosen = [verb for verb in verbs if (wanted(verb) if callable(wanted) else verb in wanted)]   # type: ignore[operator]
    return " || ".join(f"(verb) == VERB_{verb}" for verb in chosen) or "0"


def _case(verb: str) -> list[str]:
    """The call of a function, and what is asked of it."""
    if verb == "free":
        return ["if (old >= 0)", "    gives_up(old);", "t_free(pointer);", "check_all();"]
    if verb == "usable_size":
        return ["usable_now(live, pointer);"]
    call = {"posix_memalign": "if (t_posix_memalign(&answer, alignment, size) != 0) answer = NULL;"}.get(verb)
    operand = ["pointer"] if verb in RESIZING else []
    numbers = ["alignment", "size"] if verb in ALIGNING else (
        ["1", "size"] if REQUESTS[verb] == "product" else ["size"])
    call = call or f"answer = t_{verb}({', '.join([*operand, *numbers])});"
    zeroes = ["zeroed(answer, size);"] if verb == "calloc" else []
    asked = "alignment" if verb in ALIGNING else "4096" if verb == "valloc" else "1"
    return [call, *zeroes, f"given(h, answer, size, {asked}, {'live' if operand else '-1'});"]
