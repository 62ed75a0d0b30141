"""The allocator's source to explore: the shipped one, or a changed copy of it in another folder."""

import importlib
import sys
import traceback
from hashlib import sha256
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from heapster import impl
from heapster.native.spans import load_with_spans
from heapster.results import TargetError

MODULES = ("api", "lifecycle", "malloc", "retained", "settings", "stats", "thread_cache", "trim", "verify")


class Source(NamedTuple):
    """The modules of `impl` that programs call, and where they lie."""

    api: ModuleType
    lifecycle: ModuleType
    malloc: ModuleType
    retained: ModuleType
    settings: ModuleType
    stats: ModuleType
    thread_cache: ModuleType
    trim: ModuleType
    verify: ModuleType
    root: Path

    @property
    def has_spans(self) -> bool:
        """Whether it is read as what is built with spans."""
        return bool(self.malloc.SPANS)


def with_spans() -> Source:
    """The source that Heapster ships, as it is built with spans."""
    return source_in(Path(impl.__file__).parent, spans=True)


def without_spans() -> Source:
    """The source that Heapster ships, as it is built without spans."""
    return _modules("heapster.impl", Path(impl.__file__).parent)


def source_in(folder: Path, *, spans: bool = False) -> Source:
    """The source in a folder that holds a copy of impl, or whose heapster/impl does, with spans or without."""
    root = root_in(folder)
    name = _package_name(root) + "_spans" * spans
    if name not in sys.modules:
        _load_package(name, root)
        if spans:
            load_with_spans(name, root)
    try:
        return _modules(name, root)
    except (ImportError, SyntaxError, AssertionError) as error:
        raise TargetError(f"{root} cannot be loaded: {_why(error)}") from error


def _why(error: Exception) -> str:
    """What the error says; of an assertion that says nothing, where it stands."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return str(error) or f"{Path(last.filename).name}, line {last.lineno}: {last.line}"


def holds_source(folder: Path) -> bool:
    """Whether the folder holds a copy of impl."""
    return _root(folder) is not None


def _root(folder: Path) -> Path | None:
    folders = (folder, folder / "impl", folder / "heapster" / "impl")
    return next((f.resolve() for f in folders if (f / "api.py").is_file()), None)


def root_in(folder: Path) -> Path:
    """Where in the folder the copy of impl is; TargetError if there is none."""
    root = _root(folder)
    if root is None:
        raise TargetError(f"{folder} holds no copy of impl: there is no api.py")
    return root


def _package_name(root: Path) -> str:
    digest = sha256(str(root).encode())
    for path in sorted(root.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return f"heapster_impl_{digest.hexdigest()[:16]}"


def version(source: Source) -> str:
    """Eight digits that change with any file of the source."""
    digest = sha256()
    for path in sorted(source.root.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:8]


def _load_package(name: str, root: Path) -> None:
    init = root / "__init__.py"
    spec = spec_from_file_location(name, init, submodule_search_locations=[str(root)])
    if not init.is_file() or spec is None or spec.loader is None:
        raise TargetError(f"{root} is no Python package")
    package = module_from_spec(spec)
    sys.modules[name] = package
    spec.loader.exec_module(package)


def _modules(name: str, root: Path) -> Source:
    modules = {module: importlib.import_module(f"{name}.{module}") for module in MODULES}
    return Source(**modules, root=root)
