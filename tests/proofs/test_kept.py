"""Proofs that are kept: said again while nothing has changed that they depend on, and never after."""

import ast
import json
import shutil
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from heapster.checkers.mutation.fault import SHIPPED_FOLDER
from heapster.checkers.proofs import ALL_WORDS, Proof, dependencies
from heapster.checkers.proofs.catalogue import PROOFS, selected
from heapster.checkers.proofs.dependencies import Sources, key, noting, sources_of
from heapster.checkers.proofs.kept import KeptProofs
from heapster.checkers.proofs.runner import Proved, Runner
from heapster.checkers.proofs.source import opened
from heapster.machine.paths import integers, paths

SPLIT = "block.split"               # it calls write_used and write_free, by MIN_BLOCK
TRACED = ("block.split", "freelist.link", "classes.class_of", "settings.set_policy", "bins.push", "region.coalesce")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with a copy of impl."""
    root = tmp_path / "impl"
    shutil.copytree(SHIPPED_FOLDER, root, ignore=shutil.ignore_patterns("__pycache__"))
    return root


def edit(root: Path, file: str, old: str, new: str) -> None:
    path = root / file
    text = path.read_text(encoding="utf-8")
    assert text.count(old) >= 1, f"{old!r} does not stand in {file}"
    path.write_text(text.replace(old, new), encoding="utf-8")


def run(root: Path, folder: Path, *names: str, fresh: bool = False) -> list[Any]:
    """What is told of the proofs of these names, on the source in `root`, with what is kept in `folder`."""
    with opened(root) as source:
        kept = KeptProofs(Sources(source), fresh=fresh, folder=folder)
        return [one for told in Runner(origin=root, kept=kept).run(selected(names, thorough=False)) for one in told]


def are_kept(outcomes: list[Any]) -> bool:
    """Whether all are; not one in several."""
    (found,) = {bool(outcome.kept) for outcome in outcomes}
    return found


def test_what_was_proved_is_said_again(copy: Path, tmp_path: Path) -> None:
    first, second = (run(copy, tmp_path / "kept", SPLIT) for _ in range(2))
    assert (are_kept(first), are_kept(second)) == (False, True)
    assert [(one.theorem, one.verdict, one.paths) for one in first] == [
        (one.theorem, one.verdict, one.paths) for one in second]
    assert {one.verdict for one in first} == {Proved.PROVED}
    assert not are_kept(run(copy, tmp_path / "kept", SPLIT, fresh=True))
    assert are_kept(run(copy, tmp_path / "kept", SPLIT)), "it was kept again"


@pytest.mark.parametrize(("file", "old", "new", "still_true"), [
    ("block.py", "(OWNER_MASK | PREV_USED)", "OWNER_MASK", False),              # the function itself
    ("block.py", "write_header(m, b, kept | total | USED)", "write_header(m, b, kept | total | USED | 8)", False),
    ("layout.py", "MIN_BLOCK = 32", "MIN_BLOCK = 48", False),                  # a constant of layout
    ("block.py", "write_header(m, b, kept | total | USED)", "write_header(m, b, kept | total | USED | 0)", True),
])
def test_a_change_of_what_it_depends_on_is_proved(copy: Path, tmp_path: Path, file: str, old: str, new: str,
                                                  still_true: bool) -> None:
    run(copy, tmp_path / "kept", SPLIT)
    edit(copy, file, old, new)
    outcomes = run(copy, tmp_path / "kept", SPLIT)
    assert not any(outcome.kept for outcome in outcomes)
    assert all(outcome.verdict is Proved.PROVED for outcome in outcomes) == still_true
    if not still_true:
        assert not any(outcome.kept for outcome in run(copy, tmp_path / "kept", SPLIT)), "no refutation is kept"


def test_comments_docstrings_and_other_functions_are_no_change(copy: Path, tmp_path: Path) -> None:
    run(copy, tmp_path / "kept", SPLIT)
    edit(copy, "block.py", "def split(", "# a comment\n\n\ndef split(")
    edit(copy, "block.py", "Cut the used block", "Said otherwise: cut the used block")
    edit(copy, "placement.py", "def first_fit(", "def not_reached() -> int:\n    return 1\n\n\ndef first_fit(")
    assert are_kept(run(copy, tmp_path / "kept", SPLIT))


def test_a_name_that_comes_to_mean_something_is_a_change(copy: Path) -> None:
    with opened(copy) as source:
        before = Sources(source).digest_of([("block", "split"), ("block", "no_such_name")])
    edit(copy, "block.py", "def split(", "no_such_name = 1\n\n\ndef split(")
    with opened(copy) as source:
        assert Sources(source).digest_of([("block", "split"), ("block", "no_such_name")]) != before


@pytest.mark.parametrize("proof", [next(proof for proof in PROOFS if proof.of == name)
                                   for name in ("block.split", "bins.push", "arena.take", "region.coalesce")],
                         ids=lambda proof: proof.of)
def test_a_change_of_any_source_of_the_prover_is_another_proof(proof: Proof, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the clauses of invariants, the shapes of heaps, the machine, the encodings, the runner."""
    sources, text_of, usual = sources_of(proof), dependencies._text_of, key(proof)
    assert {proof.body.__module__, "heapster.machine.symbolic", "heapster.machine.linear", "heapster.machine.paths",
            "heapster.machine.protocol", "heapster.checkers.proofs.runner",
            "heapster.checkers.proofs.layout_spec"} <= set(sources)
    for changed in sources:
        monkeypatch.setattr(dependencies, "_text_of",
                            lambda name, changed=changed: text_of(name) + "!" * (name == changed))
        assert key(proof) != usual, changed


def test_every_module_that_a_proof_loads_is_a_source_of_it_or_of_impl() -> None:
    """Of what the prover's modules hold: whatever is of heapster comes from their sources."""
    for proof in PROOFS[::9]:
        for module in set(sources_of(proof)) - set(dependencies.ALONE):
            for value in vars(import_module(module)).values():
                home = getattr(value, "__module__", "") or ""
                if callable(value) and home.startswith("heapster."):
                    assert home in sources_of(proof), f"{home} in {module}"


def test_another_claim_is_another_proof() -> None:
    proof = next(proof for proof in PROOFS if proof.of == SPLIT)
    assert len({key(proof), key(proof._replace(bound=ALL_WORDS + "!")), key(proof._replace(suffix="_")),
                key(proof._replace(more={"another": "claim"})), key(proof._replace(encodings=()))}) == 5


@pytest.mark.parametrize("name", TRACED)
def test_all_that_a_proof_executes_is_among_what_it_depends_on(name: str) -> None:
    proof = next(proof for proof in PROOFS if proof.of == name)
    executed: set[tuple[str, str]] = set()

    def note(frame: Any, event: str, _: Any) -> None:
        home = frame.f_globals.get("__name__", "")
        if event == "call" and home.startswith("heapster.impl."):
            executed.add((home.rpartition(".")[2], frame.f_code.co_name))

    with opened() as source:
        read: set[tuple[str, str]] = set()
        sys.setprofile(note)
        try:
            for _ in paths(integers(), lambda path: proof.body(noting(source, read), path)):
                pass
        finally:
            sys.setprofile(None)
        assert executed
        assert executed <= Sources(source).reached(read)


def test_what_is_edited_while_it_is_proved_is_not_kept(copy: Path, tmp_path: Path) -> None:
    with opened(copy) as source:
        sources = Sources(source)
        edit(copy, "block.py", "def split(", "# edited\ndef split(")
        kept = KeptProofs(sources, folder=tmp_path / "kept")
        list(Runner(origin=copy, kept=kept).run(selected((SPLIT,), thorough=False)))
    assert not (tmp_path / "kept").exists()


def test_a_prover_that_is_younger_than_the_process_keeps_nothing(copy: Path, tmp_path: Path,
                                                                monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heapster.checkers.proofs.kept.STARTED", 0.0)
    run(copy, tmp_path / "kept", SPLIT)
    assert not (tmp_path / "kept").exists()


def test_an_interrupted_run_keeps_what_was_proved(copy: Path, tmp_path: Path) -> None:
    names = ("block.size", SPLIT)
    with opened(copy) as source:
        kept = KeptProofs(Sources(source), folder=tmp_path / "kept")
        first: Iterator[Any] = Runner(origin=copy, kept=kept).run(selected(names, thorough=False))
        next(first)
        first.close()                       # type: ignore[attr-defined]  # a generator
    assert {one.theorem.of: one.kept for one in run(copy, tmp_path / "kept", *names)} == {
        "block.size": True, SPLIT: False}


def test_what_is_damaged_is_proved_again(copy: Path, tmp_path: Path) -> None:
    run(copy, tmp_path / "kept", SPLIT)
    for path in (tmp_path / "kept").iterdir():
        kept = json.loads(path.read_text(encoding="utf-8"))
        kept["entries"][0]["paths"] += 1
        path.write_text(json.dumps(kept), encoding="utf-8")
    assert not are_kept(run(copy, tmp_path / "kept", SPLIT))


def test_files_that_changed_are_proved_first(copy: Path, tmp_path: Path) -> None:
    names = ("block.size", "freelist.link")
    run(copy, tmp_path / "kept", *names)
    edit(copy, "freelist.py", "def link(", "def not_used_by_anyone() -> int:\n    return 1\n\n\ndef link(")
    told = [one.theorem.of for one in run(copy, tmp_path / "kept", *names, fresh=True)]
    assert list(dict.fromkeys(told)) == ["freelist.link", "block.size"]


def test_a_folder_that_cannot_be_written_is_told(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file", encoding="utf-8")
    with opened(copy) as source:
        kept = KeptProofs(Sources(source), folder=tmp_path / "kept")
        list(Runner(origin=copy, kept=kept).run(selected(("block.size",), thorough=False)))
    assert kept.trouble.startswith(f"what is proved cannot be kept in {tmp_path / 'kept'}: ")


def test_impl_reaches_nothing_but_through_names() -> None:
    """What the digests lean on: no module is a value there, and nobody asks for names by their text."""
    with opened() as source:
        for module in vars(source).values():
            tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
            used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
            assert not used & {"getattr", "globals", "vars", "eval", "exec", "__import__"}
            assert not [name for name, value in vars(module).items() if name in used and isinstance(value, type(ast))]
