"""The source that is proved: the shipped modules of `impl`, a copy of them, or a copy with one fault in it."""

import ast
import importlib
import pkgutil
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

from heapster.checkers.mutation.fault import SHIPPED_FOLDER, Fault, Origin, plant
from heapster.checkers.proofs.builds import Build
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import CHECKSUM, RUNS
from heapster.checkers.targets.source import root_in, source_in, with_spans, without_spans
from heapster.results import TargetError

HOMES_OF_RUNS = ("runs", "run_totals")      # and what is asked of them by others, answered where no run is
WITHOUT_RESERVATION = {"reservation": RUNS["FAR"], "is_reserved": False, "lies_in": False, "take_slots": 0,
                       "purge_pool": False, "forget_runs": True, "lose_pool": None, "runs_have": 0, "runs_hold": 0}


@contextmanager
def opened(origin: Origin = None, build: Build = Build.PLAIN) -> Iterator[SimpleNamespace]:
    """The modules by their names, built so; a copy with a fault lies in a folder of its own meanwhile.

    Where the source's own asserts keep it from loading, they are left out of a copy: so that a wrong
    constant is met by the theorems too, with a heap that shows what it does.
    """
    spans = build is not Build.PLAIN
    with TemporaryDirectory(prefix="heapster-") as name:
        folder = Path(name)
        try:
            modules = _modules(_loaded(origin, folder, spans=spans))
        except (AssertionError, TargetError):
            root = folder / "impl"
            if not root.exists():
                shutil.copytree(root_in(origin) if isinstance(origin, Path) else SHIPPED_FOLDER, root,
                                ignore=shutil.ignore_patterns("__pycache__"))
            _drop_asserts(root)
            modules = _modules(source_in(root, spans=spans))
        alone = without_reservation(modules) if build is Build.BLOCKS else nullcontext()
        with constant_checksums(modules), not_hardened(modules), alone:
            yield modules


@contextmanager
def constant_checksums(modules: SimpleNamespace) -> Iterator[None]:
    """Let every header have the same checksum, whatever its place and the key: proofs ask only that there is one."""
    shipped, modules.block.checksum = modules.block.checksum, lambda _m, _b, _header: CHECKSUM
    try:
        yield
    finally:
        modules.block.checksum = shipped


@contextmanager
def without_reservation(modules: SimpleNamespace) -> Iterator[None]:
    """Let there be no reservation: what is proved of runs and of slots says what calls do where there is one."""
    with ExitStack() as stack:
        for name, module in vars(modules).items():
            if name not in HOMES_OF_RUNS:
                stack.enter_context(replaced(module, **{name: lambda *_, answer=answer: answer for name, answer in
                                                        WITHOUT_RESERVATION.items() if hasattr(module, name)}))
        yield


@contextmanager
def not_hardened(modules: SimpleNamespace) -> Iterator[None]:
    """Let no heap be hardened: where one is, whole calls do what theorems about spans and slots say of their parts."""
    asking = [module for name, module in vars(modules).items()
              if name != "settings" and hasattr(module, "get_hardened")]
    for module in asking:
        shipped, module.get_hardened = module.get_hardened, lambda _m: 0
    try:
        yield
    finally:
        for module in asking:
            module.get_hardened = shipped


def _loaded(origin: Origin, folder: Path, *, spans: bool) -> Any:
    if isinstance(origin, Fault):
        return source_in(plant(origin, folder), spans=spans)
    if origin:
        return source_in(origin, spans=spans)
    return with_spans() if spans else without_spans()


def _drop_asserts(root: Path) -> None:
    for path in root.glob("*.py"):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        for node in ast.parse("".join(lines)).body:
            if isinstance(node, ast.Assert):
                last = node.end_lineno or node.lineno
                lines[node.lineno - 1:last] = ["\n"] * (last - node.lineno + 1)
        path.write_text("".join(lines), encoding="utf-8")


def _modules(source: Any) -> SimpleNamespace:
    package = importlib.import_module(source.api.__package__)
    names = [module.name for module in pkgutil.iter_modules(package.__path__)]
    return SimpleNamespace(**{name: importlib.import_module(f"{package.__name__}.{name}") for name in names})


def check_source(folder: Path) -> None:
    """TargetError unless the folder's copy of impl can be loaded, its asserts aside."""
    try:
        with opened(folder):
            pass
    except (ImportError, SyntaxError, AttributeError, NameError, TypeError, ValueError) as error:
        raise TargetError(f"{folder} cannot be loaded: {error}") from error
