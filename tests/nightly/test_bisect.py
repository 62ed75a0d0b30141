"""The commit that a finding came with: found among revisions, past those that do not build."""

import subprocess
from pathlib import Path

import pytest

from heapster.checkers.findings.store import Store
from heapster.checkers.targets import grammar
from heapster.cli import main
from heapster.results import Finding

BUMP = """
#include <stddef.h>
static _Alignas(16) char memory[1 << 20];
static size_t top;
void *malloc(size_t size)
{
    if (size > sizeof memory - top - 64)
        return NULL;
    void *block = memory + top;
    top += (size + MORE + 15) & ~(size_t)15;
    return block;
}
void free(void *block) { (void)block; }
"""
TRACE = ("a = malloc(64)", "b = malloc(64)")


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six commits: the third does not compile, from the fifth on blocks overlap."""
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "--quiet")
    (tmp_path / ".gitignore").write_text(".heapster\n")
    for number, more in enumerate(("0", "0", "?", "0", "(size_t)-48", "(size_t)-48")):
        (tmp_path / "bump.c").write_text(f"#define MORE {more}\n/* {number} */\n{BUMP}")
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "--quiet", "-m", f"commit {number}")
    finding = Finding("abcd1234", "overlap", "two blocks overlap", TRACE, "heapster replay abcd1234")
    Store(tmp_path / ".heapster", print).keep(finding, grammar.parse("./bump.c"))
    return tmp_path


def test_the_commit_is_found_past_one_that_does_not_compile(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = git(project, "status", "--short"), git(project, "rev-parse", "HEAD")
    assert main(["bisect", "abcd", "--good", "HEAD~5", "--bad", "HEAD", "--", "true"]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-1].endswith("commit 4")
    assert (git(project, "status", "--short"), git(project, "rev-parse", "HEAD")) == before
    assert len(git(project, "worktree", "list").splitlines()) == 1


@pytest.mark.slow
def test_revisions_that_cannot_be_built_leave_the_question_open(project: Path,
                                                                capsys: pytest.CaptureFixture[str]) -> None:
    build = "test $(git log -1 --format=%s | tail -c 2) -lt 2 -o $(git log -1 --format=%s | tail -c 2) -gt 4"
    assert main(["bisect", "abcd", "--good", "HEAD~5", "--bad", "HEAD", "--", "sh", "-c", build]) == 3
    assert {line.strip().partition(" ")[2] for line in capsys.readouterr().out.splitlines()[-4:]} == {
        f"commit {number}" for number in (2, 3, 4, 5)}


@pytest.mark.parametrize(("words", "says"), [
    (["abcd", "--good", "HEAD", "--bad", "HEAD~5"], "does not come after"),
    (["abcd", "--good", "HEAD~1", "--bad", "HEAD"], "was said to be good"),
    (["abcd", "--good", "HEAD~5", "--bad", "HEAD~4"], "was said to be bad"),
    (["abcd", "--good", "v9", "--bad", "HEAD"], "v9 is no revision"),
    (["ffff", "--good", "HEAD~5", "--bad", "HEAD"], "no finding"),
])
def test_what_cannot_be_bisected_is_told_in_a_line(project: Path, words: list[str], says: str,
                                                   capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bisect", *words]) == 2
    (line,) = [each for each in capsys.readouterr().err.splitlines() if each.startswith("heapster: ")]
    assert says in line
