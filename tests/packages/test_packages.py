"""The packages: built, checked, and installed into empty environments outside the checkout, each extra alone."""

import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

from heapster.extras import EXTRAS
from tests.first_hour.folders import lab
from tests.native.building import HERE

TOP = Path(__file__).parents[2]
pytestmark = [pytest.mark.packages, pytest.mark.timeout(1800)]        # an environment and a compilation each
AARCH64 = re.compile(rb"\x7fELF\x02.{13}\xb7\x00", re.DOTALL)           # a program of 64 bits for it
QUICK = 0.3                     # seconds of processor time
CROSS = "aarch64-linux-gnu-gcc"
USES = {                        # a command that wants the extra
    "prove": "prove layout", "cross-check": "prove layout --cross-check",
    "native": "build --out out --policy best_fit", "exhaust": "exhaust mm.c --calls 2",
    "races": "races --schedules 3", "cluster": "fuzz sim --seconds 3 --seed 1 --scheduler tcp://127.0.0.1:9",
    "report": "report run.json --html page.html", "coverage": "fuzz mm.c --seconds 0.2 --coverage cov"}
BESIDE = {"cross-check": "prove"}           # an extra that adds to another, and so wants that first

# The scheduler of a cluster, with a worker, until its input ends; it says at which address.
CLUSTER = """
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        input()
"""


def run(*words: str | Path, folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*map(str, words)], cwd=folder, env={**os.environ, **variables}, capture_output=True,
                          text=True, check=False)


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, the pure wheel, and the platform's."""
    folder = tmp_path_factory.mktemp("dist")
    for words, ship in (((), "0"), (("--wheel",), "1")):
        done = run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, *words, TOP, folder=folder,
                   HEAPSTER_SHIP=ship)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return folder


def installed(folder: Path, package: Path, extra: str = "") -> Path:
    """The `heapster` of an empty environment into which the package was installed."""
    venv.create(folder / "venv", with_pip=True)
    name = f"{package}[{extra}]" if extra else str(package)
    done = run(folder / "venv" / "bin" / "pip", "install", "--quiet", name, folder=folder)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder / "venv" / "bin" / "heapster"


def wheel(dist: Path, tag: str) -> Path:
    (found,) = dist.glob(f"*{tag}*.whl")
    return found


def test_every_package_is_as_an_index_wants_it(dist: Path) -> None:
    assert run(sys.executable, "-m", "twine", "check", "--strict", *dist.iterdir(), folder=dist).returncode == 0
    assert re.search(r"-py3-none-manylinux_2_\d+_\w+\.whl$", wheel(dist, "manylinux").name)
    assert len(list(dist.iterdir())) == 3


def test_the_platforms_wheel_runs_a_program_at_once(dist: Path, tmp_path: Path) -> None:
    """With no cache, no compiler and no Numba; and says nothing of compiling."""
    heapster = installed(tmp_path, wheel(dist, "manylinux"))
    for word in ("true", "cat"):
        before = os.times()
        done = run(heapster, "run", "--", f"/bin/{word}", folder=tmp_path, XDG_CACHE_HOME=str(tmp_path / word),
                   PATH="/nowhere")
        spent = os.times().children_user - before.children_user
        assert (done.returncode, done.stderr) == (0, "")
        assert spent < QUICK
    for line in ("stress native --seconds 1", "record -o t -- ls /", "score gcc --targets native:best_fit,libc"):
        done = run(heapster, *line.split(), folder=tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache"))
        assert done.returncode == 0, (line, done.stdout[-500:], done.stderr[-500:])
        assert "compiling the allocator" not in done.stderr


def test_the_platforms_wheel_brings_what_judges_a_lab(dist: Path, tmp_path: Path) -> None:
    """A student's first finding waits for no compiler but that of the mm.c."""
    heapster = installed(tmp_path, wheel(dist, "manylinux"))
    lab(tmp_path)
    done = run(heapster, *["fuzz", "mm.c", "--seconds", "1"], folder=tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert (done.returncode, "mm.c:119" in done.stdout) == (1, True), done.stdout[-500:] + done.stderr[-500:]
    assert not list(tmp_path.glob("cache/**/judge-*"))


@pytest.mark.skipif(platform.machine() == "aarch64" or not shutil.which(CROSS) or not shutil.which("qemu-aarch64"),
                    reason=f"no {CROSS}, no qemu-aarch64, or this is an aarch64")
def test_the_wheel_of_a_cross_compiler_carries_code_for_its_processor(tmp_path: Path) -> None:
    """It is named for it, and programs run on its library by an emulator."""
    done = run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", tmp_path, TOP, folder=tmp_path,
               HEAPSTER_SHIP="1", CC=CROSS)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert re.search(r"-py3-none-manylinux_2_\d+_aarch64\.whl$", wheel(tmp_path, "aarch64").name)
    with ZipFile(wheel(tmp_path, "aarch64")) as carried:
        carried.extractall(tmp_path)
    shipped = tmp_path / "heapster" / "native" / "shipped"
    library = shipped / "libraries" / "libheapster-malloc.so"
    (judge,) = (shipped / "programs" / "aarch64").glob("judge-*")
    assert AARCH64.match(judge.read_bytes())
    done = run(CROSS, "-O1", "-fno-builtin", "-Wno-deprecated-declarations", HERE / "survive.c", "-o", "survive",
               "-lpthread", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    for case in ("threads_end_with_live_blocks", "errno_as_posix_says", "malloc_h_speaks_of_this_heap"):
        done = run("qemu-aarch64", "-E", f"LD_PRELOAD={library}", "-L", "/usr/aarch64-linux-gnu", "./survive", case,
                   folder=tmp_path)
        assert (done.stdout, done.stderr) == ("ok\n", "")


def test_the_pure_wheel_says_which_extra_it_wants(dist: Path, tmp_path: Path) -> None:
    """A command whose extra is missing says so in one line; the rest works."""
    heapster = installed(tmp_path, wheel(dist, "none-any"))
    lab(tmp_path)
    cache = str(tmp_path / "cache")
    assert run(heapster, *["fuzz", "mm.c", "--seconds", "1", "--json", "run.json"], folder=tmp_path).returncode == 1
    for extra, line in USES.items():
        done = run(heapster, *line.split(), folder=tmp_path, XDG_CACHE_HOME=cache)
        assert done.returncode in {2, 4}, line
        assert f"pip install 'heapster[{BESIDE.get(extra, extra)}]'" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    done = run(heapster, "run", "--", "true", folder=tmp_path, XDG_CACHE_HOME=cache)
    assert "pip install 'heapster[native]'" in done.stderr


@pytest.mark.parametrize("extra", sorted(EXTRAS.keys() - {"cluster"}))
def test_each_extra_alone_is_enough(dist: Path, tmp_path: Path, extra: str) -> None:
    heapster = installed(tmp_path, wheel(dist, "none-any"), ",".join(filter(None, (extra, BESIDE.get(extra)))))
    lab(tmp_path)
    first = ["fuzz", "sim", "--seconds", "1", "--seed", "1", "--json", "run.json"]
    assert run(heapster, *first, folder=tmp_path).returncode == 0
    done = run(heapster, *USES[extra].split(), folder=tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert done.returncode in {0, 1, 3}, done.stdout[-500:] + done.stderr[-500:]
    if extra == "native":
        assert "heapster: compiling the allocator, once on this machine: 1 of 2" in done.stderr


def test_the_extra_for_clusters_is_enough(dist: Path, tmp_path: Path) -> None:
    """What it brings runs a scheduler and a worker, too; without one it says that none answers."""
    heapster = installed(tmp_path, wheel(dist, "none-any"), "cluster")
    words = USES["cluster"].split()
    assert "no scheduler answers at tcp://127.0.0.1:9" in run(heapster, *words, folder=tmp_path).stderr
    (tmp_path / "cluster.py").write_text(CLUSTER)
    with subprocess.Popen([heapster.with_name("python"), "cluster.py"], cwd=tmp_path, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as cluster:
        assert cluster.stdout is not None
        done = run(heapster, *words[:-1], cluster.stdout.readline().strip(), folder=tmp_path)
        cluster.communicate("\n")
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-500:]


def test_every_extra_is_used() -> None:
    assert USES.keys() == EXTRAS.keys()


def test_the_source_package_builds_what_the_checkout_builds(dist: Path, tmp_path: Path) -> None:
    (source,) = dist.glob("*.tar.gz")
    done = run(installed(tmp_path, source), "--version", folder=tmp_path)
    assert done.returncode == 0
    assert tomllib.loads((TOP / "pyproject.toml").read_text())["project"]["version"] in done.stdout
