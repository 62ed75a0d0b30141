"""A C program that shows a finding by itself: written, compiled, run, and only then offered.

`repro.c` has the calls, `checks.h` beside it what looks at the answers.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from heapster import children
from heapster.checkers.blackbox.build import OF_32_BITS, SOURCES, Compiler, judge_program
from heapster.checkers.blackbox.portable import builds, companions, library, loaded_here, loader, running, within_here
from heapster.checkers.blackbox.target import ForeignTarget
from heapster.files import write_whole
from heapster.model.operation import NO_HANDLE, Step, Trace
from heapster.model.operations import ALIGNING, OPERATIONS, PAGE_ALIGNING, RELEASING, REQUESTS, RESIZING, requested
from heapster.model.spec import Operation, Promises, allowed_errors
from heapster.model.trace import format_step, handle_name

CHECKS = "checks.h"
PRELUDE = Path(__file__).parent / "repro" / "prelude.c"
MOST_STEPS = 4000               # a longer program takes a C compiler too long
SECONDS_TO_HANG, SECONDS_TO_PASS = 2, 8
FILLED_MOST = 1 << 16           # bytes of a block that the program writes and reads
ABOUT_ERRNO = ("null_without_errno", "wrong_errno")
ABOUT_USABLE = ("usable_too_small", "usable_shrank", "usable_of_null", "usable_too_large")
REFUSED = frozenset({"huge_accepted", "overflow_accepted", "block_wraps", "bad_alignment_accepted"})
BOUNDED = ["    void (*bounds)(struct fence *) = NULL;",
           "    *(void **)&bounds = dlsym(library, \"heapster_adapter_bounds\");",
           "    if (bounds != NULL) {", "        bounds(&fence);", "        fence_start();", "    }"]
STOPPING = ("", "/* Where replay --gdb stops. */",
            "__attribute__((noinline)) void failing_step(void) { last_step = 1; }")
RESIDENT = ("", "static long pages(void)", "{", "    long all = 0, resident = 0;",
            "    FILE *file = fopen(\"/proc/self/statm\", \"r\");",
            "    if (file == NULL || fscanf(file, \"%ld %ld\", &all, &resident) != 2)", "        return 0;",
            "    fclose(file);", "    return resident;", "}")
TYPES = {verb: f"{row.answers} (*{{}})({', '.join(row.parameters)})" for verb, row in OPERATIONS.items() if row.is_call}
TYPES |= {"init": "int (*{})(void *, void *)", "check": "int (*{})(int)"}


class ReproducerFiles(NamedTuple):
    """A program as files, none of which names a path of this machine."""

    text: str                               # of repro.c
    beside: Mapping[str, str] = {}          # the other files by their names

    def write(self, folder: Path) -> None:
        """Put it into the folder."""
        for name, text in {**self.beside, "repro.c": self.text}.items():
            write_whole(folder / name, text)


class Reproducer:
    """The program for a trace that fails with a code."""

    def __init__(self, target: ForeignTarget, trace: Trace, code: str, promises: Promises, title: str,
                 *, usable: bool = False) -> None:
        self._usable = "usable_size" in target.symbols and (usable or code in ABOUT_USABLE)
        self._target, self._trace, self._code = target, trace, code
        self._promises, self._title = promises, title
        self._handles = max((step.result for step in trace), default=0) + 1
        last = trace[-1].result if trace else NO_HANDLE
        self._last = last if last != NO_HANDLE else self._handles

    def program(self, folder: Path, repeat: int = 1) -> ReproducerFiles:
        """The whole program, to lie in `folder`; `repeat` makes it a loop that must not take ever more memory."""
        body = self._loop(repeat) if repeat > 1 else self._straight()
        about = f"/* {self._code}: {self._title}"
        text = [*head(about, self._target, folder), f'#include "{CHECKS}"', *body]
        checks = [*self._constants(), (SOURCES / "account.h").read_text(), PRELUDE.read_text(), *self._memory(),
                  *STOPPING, *(RESIDENT if repeat > 1 else ()), *self._main()]
        return ReproducerFiles("\n".join(text) + "\n", {CHECKS: "\n".join(checks) + "\n", **companions(self._target)})

    def _constants(self) -> list[str]:
        promises, code = self._promises, self._code
        return ["#define _GNU_SOURCE", "#include <stddef.h>", "#include <stdint.h>", *self._outside(), *self._beside(),
                f"#define HANDLES {self._handles}",
                f"#define ALIGNMENT {promises.alignment if code == 'misaligned' else 1}",
                f"#define SMALL_BLOCKS {int(promises.small_blocks)}",
                f"#define SAYS_WHY(h) ({self._says_why()} || (h) != {self._last})",
                f"#define OWN_CHECK() {self._own_check()}",
                f"#define MAY_HANG {int(code in ('hang', 'heap_check_failed'))}",
                f"#define FILLED_MOST {FILLED_MOST}",
                f"#define MUST_GIVE(h) ({int(self._must_give())} && (h) == {self._last})",
                f"#define MUST_REFUSE(h) ({int(self._must_refuse())} && (h) == {self._last})",
                *(f"static {TYPES[verb].format(self._name(verb))};" for verb in self._target.symbols
                  if verb != "usable_size"),
                "static size_t (*usable_size)(void *);" if self._usable else
                "static size_t (*const usable_size)(void *) = NULL;"]

    @property
    def _is_confined(self) -> bool:
        return self._target.shape in ("malloc-lab", "described")

    def _outside(self) -> list[str]:
        """What is asked of the memory that the target is confined to, if it is."""
        if not self._is_confined:
            return ["#define EXCLUDED(start, size) 0", "#define STRAYED() 0"]
        return ["int fence_excludes(uintptr_t start, uint64_t size);", "int64_t fence_broken(void);",
                "#define EXCLUDED(start, size) fence_excludes((uintptr_t)(start), size)",
                "#define STRAYED() (fence_broken() != 0)"]

    @property
    def _has_strangers(self) -> bool:
        return any(step.verb == "foreign_sbrk" for step in self._trace)

    def _beside(self) -> list[str]:
        """What is asked of the memory that others have, if they have some."""
        if not self._has_strangers:
            return ["#define HARMED() 0", "#define OTHERS_HAVE(start, size) 0"]
        return ["enum { UNHARMED, STRANGER_CHANGED, STRANGER_GONE, STRANGER_LOST };",
                "void stranger_moves(int64_t delta);", "int strangers_harmed(void);",
                "#define HARMED() strangers_harmed()",
                "int strangers_have(uintptr_t start, uint64_t size);",
                "#define OTHERS_HAVE(start, size) strangers_have((uintptr_t)(start), size)"]

    def _says_why(self) -> str:
        """What errno must be where the last step fails."""
        last = self._trace[-1] if self._trace else None
        if self._code not in ABOUT_ERRNO or last is None or last.verb not in REQUESTS:
            return "1"
        allowed = allowed_errors(Operation(last.verb, last.numbers), self._promises)
        return f"({' || '.join(f'errno == {error}' for error in allowed)})"

    def _own_check(self) -> str:
        if "check" not in self._target.symbols:
            return "(void)0"
        says_no = "fail(\"the target's own heap checker says no\")"
        believed = self._target.check_means and self._code == "heap_check_failed"
        return f"(t_check(0) == 0 ? {says_no} : (void)0)" if believed else "(void)t_check(0)"

    def _must_give(self) -> bool:
        zero = self._code == "zero_size_inconsistent"
        return self._code == "spurious_null" or zero and self._promises.zero == "pointer"

    def _must_refuse(self) -> bool:
        zero = self._code == "zero_size_inconsistent"
        return self._code in REFUSED or zero and not self._must_give()

    @staticmethod
    def _name(verb: str) -> str:
        return f"t_{verb}"

    @property
    def _is_lab(self) -> bool:
        return self._target.shape == "malloc-lab"

    def _memory(self) -> list[str]:
        beside = [_text_after("strangers.c", "#define MOST_STRANGERS")] if self._has_strangers else []
        return [*beside, *self._own_memory()]

    def _own_memory(self) -> list[str]:
        if not self._is_confined:
            return []
        lab = ["static int system_refuses;", "#define system_is_refused() system_refuses",
               _text_after("memlib.c", "#define PLACE")] if self._is_lab else []
        return ["", "/* The memory that the allocator may use, and what lies around it. */",
                "enum { UNBOUNDED, BOUNDED, GUARDED };", "#define GUARD ((size_t)1 << 16)",
                "struct fence { unsigned char *first, *low, *high, *last; };",
                "static struct { uint64_t heap_limit, guarded, low; int64_t stray; uint64_t fault; } memory =",
                f"    {{ {self._target.heap_limit}, GUARDED, {int(self._target.low)}, 0, 0 }};",
                "#define shared (&memory)", "#define show()", "#define counters_fault()",
                "#define observing_reserved(start, size)",
                "#define observing_grew(start, size)",
                _text_after("fence.c", "#define PATTERN"), *lab]

    def _straight(self) -> list[str]:
        lines = ["", "static void steps(void)", "{"]
        for index, step in enumerate(self._trace):
            if index == len(self._trace) - 1:
                lines.append("    failing_step();")
            lines.append(f"    step_now = {index}, now = \"{format_step(step)}\";")
            lines += [f"    {line}" for line in self._call(step)]
        return [*lines, "}"]

    def _call(self, step: Step) -> list[str]:
        pointer = "NULL" if step.operand == NO_HANDLE else handle_name(step.operand) + "_"
        numbers = [_number(number) for number in step.numbers]
        if step.verb == "fail":
            return ["refuse_memory();", *(["system_refuses = 1;"] if self._is_lab else [])]
        if step.verb == "foreign_sbrk":
            return [f"stranger_moves({step.numbers[0]});"]
        if step.verb in RELEASING:
            return self._release(step, pointer, numbers)
        if step.verb == "usable_size":
            says = [f"usable_now({_live(step.operand)}, {pointer});"] if self._usable else []
            return [*says, "check_all();"]
        return self._allocation(step, pointer, numbers)

    def _release(self, step: Step, pointer: str, numbers: list[str]) -> list[str]:
        forget = [f"gives_up({step.operand});"] if pointer != "NULL" else []
        errno = [f"if (errno != 0) fail(\"{step.verb} has changed errno\");"] * (self._code == "free_changed_errno")
        call = f"t_{step.verb}({', '.join([pointer, *numbers])});"
        if step.verb not in self._target.symbols:
            call = f"t_{OPERATIONS[step.verb].instead}({pointer});"
        return [*forget, "errno = 0;", call, *errno, "check_all();"]

    def _allocation(self, step: Step, pointer: str, numbers: list[str]) -> list[str]:
        name, h = handle_name(step.result) + "_", step.result
        old = step.operand if step.operand != NO_HANDLE else -1
        size = _number(min(requested(step), (1 << 64) - 1))
        aligned = step.verb in ALIGNING
        power = aligned and step.numbers[0] and step.numbers[0] & (step.numbers[0] - 1) == 0
        alignment = numbers[0] if power else "4096" if step.verb in PAGE_ALIGNING else "1"
        operand = [pointer] if step.verb in RESIZING else []
        lines = [*([f"holds({old});"] if old >= 0 else []), "errno = 0;"]
        if step.verb == "posix_memalign":
            lines += [f"void *{name} = NULL;",
                      f"if ((errno = t_posix_memalign(&{name}, {', '.join(numbers)})) != 0) {name} = NULL;"]
        else:
            lines.append(f"void *{name} = t_{step.verb}({', '.join([*operand, *numbers])});")
        if step.verb == "calloc":
            lines.append(f"zeroed({name}, {size});")
        if old >= 0 and not requested(step):
            kept = f"if ({name} != NULL) " if self._promises.realloc_zero == "keeps" else ""
            lines.append(f"{kept}account_forget(&account, {old});")
            old = -1
        return [*lines, f"given({h}, {name}, {size}, {alignment}, {_live(old)});"]

    def _loop(self, repeat: int) -> list[str]:
        straight = self._straight()
        left = [step.result for step in self._trace if step.result != NO_HANDLE]
        frees = [f"    if (account_is_live(&account, {h})) {{ gives_up({h}); t_free({handle_name(h)}_); }}"
                 for h in left]
        one_round = [line.replace("static void steps", "static void one_round") for line in straight[:-1]]
        return [*one_round, *frees, "}", "", "static void steps(void)", "{", "    long middle = 0;",
                f"    for (int i = 0; i < {repeat}; i++) {{", "        one_round();",
                f"        if (i == {repeat // 2})", "            middle = pages();", "    }",
                f"    now = \"the end of {repeat} rounds, after each of which nothing was live\";",
                "    if (pages() > middle + 32)", "        fail(\"it takes ever more memory\");", "}"]

    def _main(self) -> list[str]:
        symbols = self._target.symbols
        loads = [f"    *(void **)&{self._name(verb)} = dlsym(library, \"{symbol}\");"
                 for verb, symbol in symbols.items() if verb != "usable_size"]
        if self._usable:
            loads.append(f"    *(void **)&usable_size = dlsym(library, \"{symbols['usable_size']}\");")
        start = {"malloc-lab": ["    mem_init();"], "described": BOUNDED}.get(self._target.shape, [])
        if "init" in symbols:
            init = ["    if (t_init(NULL, NULL) != 0)", "        fail(\"its initialisation fails\");"]
            start = [*start, *(init if self._target.init_answers else ["    t_init(NULL, NULL);"])]
        place = self._target.code
        code = "dlopen(CODE, RTLD_NOW | RTLD_NOLOAD)" if place else "library"
        named = ["#ifndef CODE", f'#define CODE "{within_here(place)}"', "#endif"] if place else []
        return ["", "#ifndef ALLOCATOR", f'#define ALLOCATOR "{library(self._target)}"', "#endif", *named, "",
                *loader(self._target), "static void steps(void);", "", "int main(int argc, char **argv)", "{",
                "    void *library = load(argc > 1 ? argv[1] : ALLOCATOR);",
                "    if (library == NULL) {", "        fprintf(stderr, \"%s\\n\", dlerror());",
                "        return 2;", "    }", f"    allocator_loaded({code});", *loads,
                "    for (int s = 1; s < 32; s++)",
                "        if (s == SIGSEGV || s == SIGBUS || s == SIGFPE || s == SIGILL || s == SIGABRT ||",
                "            s == SIGALRM)",
                "            signal(s, on_signal);",
                "    atexit(on_exit_early);", f"    alarm(MAY_HANG ? {SECONDS_TO_HANG} : {SECONDS_TO_PASS});", *start,
                "    steps();",
                "    finished = 1;", "    puts(\"PASSED\");", "    return 0;", "}"]


def _text_after(source: str, mark: str) -> str:
    """A source of the judge without its head."""
    return mark + (SOURCES / source).read_text(encoding="utf-8").partition(mark)[2]


def _live(handle: int) -> str:
    return f"account_is_live(&account, {handle}) ? {handle} : -1" if handle >= 0 else "-1"


def _number(number: int) -> str:
    return f"{number}" if number < 1 << 31 else f"{number:#x}u"


def head(about: str, target: ForeignTarget, folder: Path) -> list[str]:
    """What a program's first lines say: of what it is, how it is built and run."""
    return [about, "", *(f"   the allocator:  {line}" for line in builds(target, folder)),
            f"   build:  {' '.join(command(os.path.relpath(folder / 'repro.c'), 'repro', target))}",
            f"   run:    {running(target)}        exit status 1: it fails", "*/"]


def command(source: str, program: str, target: ForeignTarget) -> list[str]:
    """How the program is built."""
    flags = [*(OF_32_BITS if target.bits == 32 else ())] + (["-rdynamic"] if target.shape == "malloc-lab" else [])
    return ["cc", "-g", "-w", *flags, source, "-o", program, "-ldl", "-lpthread"]


def prove(written: ReproducerFiles, folder: Path, target: ForeignTarget, compiler: Compiler) -> bool:
    """Whether the program, put into `folder`, compiles and fails as it says."""
    source, program = folder / "repro.c", folder / "repro"
    written.write(folder)
    words = command(str(source), str(program), target)
    places = [f'-DALLOCATOR="{loaded_here(target)}"', *([f'-DCODE="{target.code}"'] if target.code else [])]
    built = children.run([*compiler.command, *places, *words[1:]], capture_output=True)
    if built.returncode:
        return False
    return _exit_status(program, target) == 1


def _exit_status(program: Path, target: ForeignTarget) -> int:
    """How the program ends; the judge sees to it that it does, and that nothing that it has started stays."""
    environment = {"GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=65536", "PATH": "/usr/bin:/bin"}
    environment |= target.environment
    running: children.Command = [judge_program(target.bits), "run", program.resolve()]
    return children.run(target.started(running, program.resolve()), capture_output=True,
                        env=environment).returncode


def malloc_lab_trace(trace: Trace, heap: int) -> str:
    """The trace in the form of CS:APP's driver (.rep): block ids, and a, r or f for each request."""
    ids: dict[int, int] = {}
    lines = []
    for step in trace:
        if step.verb in RELEASING and step.operand in ids:
            lines.append(f"f {ids[step.operand]}")
        elif step.verb in REQUESTS:
            size = requested(step)
            known = ids.get(step.operand)
            ids[step.result] = known if known is not None else len(set(ids.values()))
            lines.append(f"{'a' if known is None else 'r'} {ids[step.result]} {size}")
    return "\n".join([str(heap), str(len(set(ids.values()))), str(len(lines)), "1", *lines]) + "\n"
