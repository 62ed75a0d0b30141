"""What traces are run on besides our policies in lock-step: a policy's library, libc, a shared object, a C source."""

from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions, is_foreign, resolve
from heapster.checkers.blackbox.probing import learn
from heapster.checkers.blackbox.target import from_object, libc
from heapster.checkers.score.driver import Contestant
from heapster.model.placement import POLICY_NAMES
from heapster.native.library import SHARED, libraries
from heapster.results import UsageError
from heapster.suggest import instead_of

PREFIX = "heapster_"


def contestant(name: str, prefix: str | None = None) -> Contestant:
    """The target of that name, a policy among them: that is our library as it is shipped, with caches."""
    if name in POLICY_NAMES:
        library = libraries() / SHARED
        return Contestant(name, from_object(library, name, PREFIX), {"HEAPSTER_POLICY": name})
    return stranger(name, prefix)


def stranger(name: str, prefix: str | None = None) -> Contestant:
    """The target of that name, which somebody else wrote; UsageError if that names none."""
    if name == "libc":
        return Contestant(name, libc())
    if is_foreign(name):
        target = resolve(ForeignOptions(name, prefix=prefix))
        with Judge(judge_program(target.bits), target) as bench:
            promises = learn(bench, None).promises
            return Contestant(name, target, promises=promises, granule=bench.header.granule)
    raise UsageError(f"unknown target '{name}': {instead_of(name, (*POLICY_NAMES, 'libc'))} or a shared object")
