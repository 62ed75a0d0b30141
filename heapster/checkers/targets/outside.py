"""Allocators that somebody else wrote: the C library's, those installed, shared objects, C sources, descriptions."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from heapster import children
from heapster.checkers.blackbox.build import from_sources
from heapster.checkers.blackbox.description import from_adapter, from_description
from heapster.checkers.blackbox.loading import loadable
from heapster.checkers.blackbox.options import ForeignOptions, refuse_options
from heapster.checkers.blackbox.sanitizing import is_sanitized
from heapster.checkers.blackbox.symbols import read_shared_object
from heapster.checkers.blackbox.target import ForeignTarget, from_object, libc
from heapster.checkers.targets.building import learnt
from heapster.checkers.targets.gathering import Gathered, fitting, gathered, is_known
from heapster.checkers.targets.installed import peer
from heapster.checkers.targets.kinds import HEADERS, OTHER_SOURCES
from heapster.checkers.targets.making import BuiltSource, compilations, flags_of, understood
from heapster.checkers.targets.sources import all_parts_below, companions, include_flags, sources_below, sources_in
from heapster.checkers.targets.target import Preload, Target
from heapster.results import TargetError

OF_ELSEWHERE = ("-D_GNU_SOURCE", "-include", "stddef.h", "-include", "stdint.h", "-include", "sys/mman.h")
WRITTEN_ELSEWHERE = ("it compiles here only with what other systems' headers bring by themselves: -D_GNU_SOURCE, and "
                     "stddef.h, stdint.h and sys/mman.h included")


def libc_calls(options: ForeignOptions) -> ForeignTarget:
    """The functions of this machine's C library."""
    refuse_options(options)
    return libc()


def unloaded(_: Target) -> Preload:
    """Every program has the C library without being told."""
    return Preload()


def peer_calls(options: ForeignOptions) -> ForeignTarget:
    """The functions of an allocator that is installed."""
    refuse_options(options)
    return from_object(peer(options.target.name), options.target.name, options.prefix)


def peer_preload(target: Target) -> Preload:
    """Its library."""
    return Preload(str(peer(target.name)))


def described(options: ForeignOptions) -> ForeignTarget:
    """A pool's functions, as a description has them."""
    return _file(options, lambda path: from_description(path, options.compiler))


def compiled(options: ForeignOptions) -> ForeignTarget:
    """C sources, compiled."""
    sources = tuple(map(_checked, options.target.paths))
    built = _build_of(sources[0], options)
    headers = () if built else include_flags(sources[0].parent, sources)
    target = _compiled(options, sources, built, headers)
    if len(sources) > 1:
        return target
    if "free" not in target.symbols and not built:
        return _gathered(options, sources[0].parent, sources[0])
    needs = read_shared_object(Path(target.path)).needs
    more = companions(sources[0], needs, (one.source for one in built)) if needs else []
    return _compiled(options, (*sources, *more), built, headers) if more else target


def _compiled(options: ForeignOptions, sources: tuple[Path, ...], built: tuple[BuiltSource, ...],
              headers: tuple[str, ...] = ()) -> ForeignTarget:
    """C sources, compiled as their own build does; without one, `headers` says where those are."""
    told = flags_of(built, sources) or headers
    return _file(replace(options, target=replace(options.target, paths=sources)),
                 lambda _: _as_told(options, sources, told))


def _as_told(options: ForeignOptions, sources: tuple[Path, ...], told: tuple[str, ...]) -> ForeignTarget:
    """C sources, compiled as their build tells a compiler, as far as ours knows what that is."""
    flags, said = understood(tuple(options.compiler.command), told)
    compiler = options.compiler
    make = partial(from_sources, sources, options.target.name, options.prefix, told=flags)
    try:
        target = make(compiler)
    except TargetError as error:
        more = compiler._replace(flags=(*OF_ELSEWHERE, *compiler.flags))
        try:
            target, said = make(more), (*said, WRITTEN_ELSEWHERE)
        except TargetError:
            raise error from None
    return replace(target, as_built=(*target.as_built, *said))


def _build_of(source: Path, options: ForeignOptions) -> tuple[BuiltSource, ...]:
    """The build that the source belongs to: that of its folder, or one of the folder above that compiles it.

    A command is run in this folder if the source lies below it, else in the source's.
    """
    if options.build:
        around = Path() if source.resolve().is_relative_to(Path.cwd()) else source.parent
        return learnt(around, options.build, sandboxed=options.sandbox)
    beside = compilations(source.parent, sandboxed=options.sandbox)
    above = () if beside else compilations(source.parent / os.pardir, sandboxed=options.sandbox)
    return above if source.resolve() in {one.source.resolve() for one in above} else beside


def folder_compiled(options: ForeignOptions) -> ForeignTarget:
    """Those of a folder's C sources that make its allocator, compiled."""
    folder = options.target.path
    built = learnt(folder, options.build, sandboxed=options.sandbox) if options.build else \
        compilations(folder, sandboxed=options.sandbox)
    if not built:
        return _gathered(options, folder)
    sources = sources_in(folder, built)
    try:
        target = _compiled(options, sources, built)
    except TargetError as error:
        return _fitting(options, sources, built, error)
    complete = all(map(is_known, read_shared_object(Path(target.path)).needs))
    return target if complete else _fitting(options, sources, built)


def _fitting(options: ForeignOptions, sources: tuple[Path, ...], built: tuple[BuiltSource, ...],
             error: TargetError | None = None) -> ForeignTarget:
    """A build's sources where it does not say all: with what they need of the folder, without what does not compile.

    The error is why they do not compile together: it is raised again if they do not without those either.
    """
    folder = options.target.path
    told = (*flags_of(built, sources), *include_flags(folder, all_parts_below(folder)))
    command = tuple(options.compiler.command)
    flags, _ = understood(command, (*told, *(OF_ELSEWHERE if error else ())))
    try:
        found = fitting(folder, sources, command, (*flags, *options.compiler.flags))
        return _of_gathered(options, folder, found, told)
    except TargetError:
        if error is None:
            raise
        raise error from None


def _gathered(options: ForeignOptions, folder: Path, named: Path | None = None) -> ForeignTarget:
    """C sources that lie together without a build, compiled: those that belong to the `named` one, if there is one."""
    headers = include_flags(folder, sources_below(folder))
    found = gathered(folder, tuple(options.compiler.command), (*headers, *options.compiler.flags), named)
    return _of_gathered(options, folder, found, headers)


def _of_gathered(options: ForeignOptions, folder: Path, found: Gathered, told: tuple[str, ...]) -> ForeignTarget:
    """The sources that were found in the folder, compiled as `told`; and which they are."""
    target = _compiled(options, found.sources, (), told)
    words = found.words(folder)
    return replace(target, as_built=(*target.as_built, words)) if words else target


def loaded(options: ForeignOptions) -> ForeignTarget:
    """A shared object as it is."""
    path = options.target.path
    if path.suffix in HEADERS and path.exists():
        raise TargetError(f"{path} is a header: name the sources that it belongs to; of a pool, describe it "
                          f"(heapster describe {path} -o {path.with_suffix('.toml').name}) and name the description")
    if path.suffix in OTHER_SOURCES and path.exists():
        raise TargetError(f"{path} is no C or C++ source: compile it into a shared object yourself, and name that")
    return _file(options, lambda path: _loaded(path, options))


def _loaded(path: Path, options: ForeignOptions) -> ForeignTarget:
    taken, why = loadable(path)
    found = from_object(taken, options.target.name, options.prefix, path)
    return replace(found, as_built=(*found.as_built, *why))


def compiled_preload(target: Target) -> Preload:
    """C sources that define malloc itself, compiled."""
    return _preloadable_source(compiled(ForeignOptions(target)))


def unloaded_threads(options: ForeignOptions) -> Preload:
    """The harness has the C library without being told."""
    refuse_options(options)
    return unloaded(options.target)


def peer_threads(options: ForeignOptions) -> Preload:
    """The library of an allocator that is installed."""
    refuse_options(options)
    return peer_preload(options.target)


def compiled_threads(options: ForeignOptions) -> Preload:
    """C sources, compiled: malloc itself, or one with a prefix."""
    return _for_threads(compiled(options))


def folder_threads(options: ForeignOptions) -> Preload:
    """C sources of a folder, compiled."""
    return _for_threads(folder_compiled(options))


def loaded_threads(options: ForeignOptions) -> Preload:
    """A shared object, whose functions may have a prefix."""
    return _for_threads(loaded(options)) if options.prefix else loaded_preload(options.target)


def _for_threads(found: ForeignTarget) -> Preload:
    """How threads call it: one with a prefix stands beside the C library's, and is started by its first call."""
    if found.shape != "prefixed":
        return _preloadable_source(found)
    if "init" in found.symbols:
        raise TargetError(f"{found.name} is started by {found.symbols['init']}, which stress does not call")
    return Preload(str(found.path), prefix=found.symbols["malloc"].removesuffix("malloc"))


def _preloadable_source(found: ForeignTarget) -> Preload:
    if found.shape != "standard":
        raise TargetError(f"{found.name} cannot be preloaded: it defines {found.symbols['malloc']}, not malloc itself")
    return Preload(_preloadable(Path(found.path)))


def folder_preload(target: Target) -> Preload:
    """C sources of a folder that define malloc itself, compiled."""
    return _preloadable_source(folder_compiled(ForeignOptions(target)))


def loaded_preload(target: Target) -> Preload:
    """A shared object."""
    return Preload(_preloadable(_checked(target.path).resolve()))


def _file(options: ForeignOptions, found: Callable[[Path], ForeignTarget]) -> ForeignTarget:
    """What is found in the target's file, or behind an adapter of it, with what the options say of it."""
    path = _checked(options.target.path)
    target = from_adapter(Path(options.adapter), path, options.compiler) if options.adapter and path.suffix != ".toml" \
        else found(path)
    if options.sandbox:
        _check_sandbox()
    return replace(target, heap_limit=options.heap_limit or target.heap_limit, sandboxed=options.sandbox)


def _checked(path: Path) -> Path:
    """The path; TargetError unless a file is there."""
    if not path.exists():
        raise TargetError(f"{path}: No such file or directory")
    if not path.is_file():
        raise TargetError(f"{path} is no file")
    return path


def _preloadable(path: Path) -> str:
    if any(character in str(path) for character in " :"):
        raise TargetError(f"LD_PRELOAD cannot name {path}, for its blank or colon")
    if is_sanitized(read_shared_object(path)):
        raise TargetError(f"{path.name} is built with AddressSanitizer, whose malloc other programs would have: build "
                          "it without -fsanitize=address (fuzz and exhaust load it with the runtime first)")
    return str(path)


def _check_sandbox() -> None:
    """TargetError unless there can be a sandbox here."""
    try:
        done = children.run(children.sandboxed(["true"]), capture_output=True, text=True, errors="replace")
    except OSError:
        raise TargetError("--sandbox needs bubblewrap, which is not installed (bwrap): install it, or leave "
                          "the option out") from None
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise TargetError(f"--sandbox: bubblewrap can make none here: {said}")
