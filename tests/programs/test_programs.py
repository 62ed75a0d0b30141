"""Real programs on the library: as shipped; by `make test-programs` with every policy, and the long ones too."""

import random
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from heapster.impl.layout import DEFAULT_POLICY
from heapster.model.placement import POLICY_NAMES
from tests.programs.running import need, ours, output, same

HERE = Path(__file__).parent
ROWS, SHORT_ROWS = 200_000, 5_000
CPYTHON_SHORT = ("test_list", "test_dict")
CPYTHON_LONG = ("test_json", "test_re", "test_list", "test_dict", "test_bytes", "test_threading", "test_subprocess",
                "test_fork1", "test_gc")

every_policy = pytest.mark.parametrize("policy", [
    pytest.param(name, marks=() if name == POLICY_NAMES[DEFAULT_POLICY] else pytest.mark.programs)
    for name in POLICY_NAMES])


def large_c_file(functions: int) -> str:
    """C code that keeps a compiler busy."""
    rng = random.Random(7)
    parts = ["#include <stdio.h>\n#include <string.h>\n"]
    for number in range(functions):
        lines = [f"    x = x * {rng.randrange(3, 99)} + y % {rng.randrange(2, 50)}; y ^= x >> {rng.randrange(1, 9)};"
                 f" if (x > {rng.randrange(1000)}) {{ for (int i = 0; i < {rng.randrange(2, 9)}; i++) y += t[i] * x; }}"
                 for _ in range(12)]
        parts.append(f"long f{number}(long x, long y) {{ static long t[9] = {{{number}}};\n" + "\n".join(lines)
                     + "\n    return x + y; }\n")
    calls = " + ".join(f"f{number}(x, {number})" for number in range(functions))
    return "".join(parts) + f"int main(void) {{ long x = 5; printf(\"%ld\\n\", {calls}); return 0; }}\n"


def sql(rows: int) -> str:
    return f"""
        CREATE TABLE t (id INTEGER PRIMARY KEY, k INTEGER, name TEXT);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
          INSERT INTO t SELECT i, (i * 7919) % 10007, printf('row %d of %s', i, hex(i * i)) FROM n;
        CREATE INDEX by_k ON t (k);
        UPDATE t SET name = name || ' again' WHERE k % 3 = 0;
        DELETE FROM t WHERE k % 7 = 0;
        SELECT count(*), sum(k), max(length(name)) FROM t;
        SELECT k, group_concat(id) FROM t WHERE k < 20 GROUP BY k ORDER BY k;
        SELECT a.id, b.name FROM t a JOIN t b ON a.k = b.k AND a.id < b.id ORDER BY b.name DESC, a.id LIMIT 50;
        VACUUM; PRAGMA integrity_check;
    """  # noqa: S608  # the number is ours


def cpython(tests: tuple[str, ...], policy: str, folder: Path) -> None:
    """CPython's own tests pass; they print times, so nothing is compared."""
    available = [name for name in tests if _has_test(name)]
    if not available:
        pytest.skip("this Python comes without its tests")
    environment = ours(policy)
    if policy == "first_fit":
        environment["PYTHONMALLOC"] = "malloc"      # all objects; policies that walk long lists take hours for it
    output([sys.executable, "-m", "test", "-q", *available], folder, environment)


def _has_test(name: str) -> bool:
    return subprocess.run([sys.executable, "-c", f"import importlib.util as u; exit(not u.find_spec('test.{name}'))"],
                          check=False, capture_output=True).returncode == 0


def repository(folder: Path, commits: int) -> Path:
    """A repository with some history, the same every time."""
    path = folder / "repository"
    rng = random.Random(3)
    stream = []
    for number in range(1, commits + 1):
        text = "".join(f"line {rng.randrange(10 ** 6)}\n" for _ in range(rng.randrange(5, 200)))
        data = f"commit {number}\n"
        stream.append(f"commit refs/heads/main\ncommitter A <a@b> {10 ** 9 + number} +0000\ndata {len(data)}\n{data}"
                      f"M 100644 inline d{number % 7}/f{number % 23}\ndata {len(text)}\n{text}\n")
    output(["git", "init", "-q", "-b", "main", path], folder)
    subprocess.run(["git", "fast-import", "--quiet"], cwd=path, input="".join(stream).encode(), check=True)
    return path


def git(folder: Path, commits: int, policy: str) -> None:
    """log, clone, gc and fsck of a repository."""
    need("git")
    path = repository(folder, commits)
    same(["git", "--no-pager", "log", "-p", "main"], path, policy)
    clone = folder / "clone"
    output(["git", "clone", "-q", "--no-local", path, clone], folder, ours(policy))
    output(["git", "gc", "-q", "--aggressive"], clone, ours(policy))
    output(["git", "fsck", "--strict", "--full"], clone, ours(policy))
    assert output(["git", "rev-parse", "HEAD"], clone) == output(["git", "rev-parse", "main"], path)


def compile_large_file(folder: Path, functions: int, policy: str) -> None:
    """gcc -O2 writes the same object file."""
    need("gcc")
    (folder / "large.c").write_text(large_c_file(functions))
    same(["gcc", "-O2", "-c", "large.c", "-o", "large.o"], folder, policy, "large.o")


def sqlite(folder: Path, rows: int, policy: str) -> None:
    """A mixed workload gives the same answers."""
    need("sqlite3")
    (folder / "work.sql").write_text(sql(rows))
    same(["sqlite3", ":memory:", ".read work.sql"], folder, policy)


def xz(folder: Path, size: int, policy: str) -> None:
    """Two threads compress to the same bytes, and back."""
    need("xz")
    rng = random.Random(5)
    (folder / "data").write_bytes(bytes(rng.choices(b"abcdefgh \n", k=size)))
    same(["xz", "-T2", "-k", "-f", "--block-size=262144", "data"], folder, policy, "data.xz")
    assert output(["xz", "-T2", "-dc", "data.xz"], folder, ours(policy)) == (folder / "data").read_bytes()


def redis(folder: Path, requests: int, policy: str) -> None:
    """redis-server answers redis-benchmark."""
    need("redis-server", "redis-benchmark", "redis-cli")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    server = subprocess.Popen(["redis-server", "--port", port, "--save", "", "--dir", folder], env=ours(policy),
                              stdout=subprocess.DEVNULL)
    try:
        client = ["redis-cli", "-p", port]
        deadline = time.monotonic() + 30
        while subprocess.run([*client, "ping"], capture_output=True, check=False).stdout != b"PONG\n":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        output(["redis-benchmark", "-p", port, "-q", "-n", str(requests), "-t", "set,get,lpush,lpop,sadd,hset,mset"],
               folder, ours(policy))
        output([*client, "set", "name", "value"], folder)
        assert output([*client, "get", "name"], folder) == b"value\n"
        assert server.poll() is None
        output([*client, "shutdown", "nosave"], folder)
        assert server.wait(timeout=30) == 0
    finally:
        server.kill()
        server.wait()


def cpp_with_threads(folder: Path, rounds: int, policy: str) -> None:
    """Containers on four threads come to the same sums."""
    need("g++")
    output(["g++", "-O1", "-std=c++17", HERE / "threads.cc", "-o", "threads", "-lpthread"], folder)
    same(["./threads", str(rounds)], folder, policy)


@every_policy
def test_cpython(policy: str, tmp_path: Path) -> None:
    cpython(CPYTHON_SHORT, policy, tmp_path)


@every_policy
def test_gcc(policy: str, tmp_path: Path) -> None:
    compile_large_file(tmp_path, 10, policy)


@every_policy
def test_git(policy: str, tmp_path: Path) -> None:
    git(tmp_path, 60, policy)


@every_policy
def test_sqlite(policy: str, tmp_path: Path) -> None:
    sqlite(tmp_path, SHORT_ROWS, policy)


@every_policy
def test_xz(policy: str, tmp_path: Path) -> None:
    xz(tmp_path, 1 << 20, policy)


def test_redis(tmp_path: Path) -> None:
    redis(tmp_path, 300, "first_fit")


@every_policy
def test_cpp_with_threads(policy: str, tmp_path: Path) -> None:
    cpp_with_threads(tmp_path, 3_000, policy)


@pytest.mark.programs
@every_policy
@pytest.mark.timeout(3600)
class TestAtLength:
    """The same programs on real amounts of work."""

    @pytest.mark.parametrize("name", CPYTHON_LONG)
    def test_cpython(self, name: str, policy: str, tmp_path: Path) -> None:
        cpython((name,), policy, tmp_path)

    def test_gcc(self, policy: str, tmp_path: Path) -> None:
        compile_large_file(tmp_path, 400, policy)

    def test_git(self, policy: str, tmp_path: Path) -> None:
        git(tmp_path, 3000, policy)

    def test_sqlite(self, policy: str, tmp_path: Path) -> None:
        sqlite(tmp_path, ROWS, policy)

    def test_xz(self, policy: str, tmp_path: Path) -> None:
        xz(tmp_path, 1 << 25, policy)

    def test_redis(self, policy: str, tmp_path: Path) -> None:
        redis(tmp_path, 20_000, policy)

    def test_cpp_with_threads(self, policy: str, tmp_path: Path) -> None:
        cpp_with_threads(tmp_path, 40_000, policy)
