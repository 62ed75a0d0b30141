"""Hypothesis's own examples, shared by several machines through redis: what one has found, another tries first."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

redis = pytest.importorskip("redis", reason="the client of redis is not installed (pip install redis)")

SERVER = shutil.which("redis-server")


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Any]:
    if SERVER is None:
        pytest.skip("redis-server is not installed")
    place = tmp_path / "r.sock"
    with subprocess.Popen([SERVER, "--port", "0", "--unixsocket", str(place), "--save", "", "--dir", str(tmp_path)],
                          stdout=subprocess.DEVNULL) as server:
        while not place.exists():
            assert server.poll() is None
            time.sleep(0.02)
        with redis.Redis(unix_socket_path=str(place)) as found:
            yield found
        server.kill()


def test_a_failure_of_one_machine_is_what_another_tries_first(client: Any) -> None:
    from hypothesis.extra.redis import RedisExampleDatabase  # noqa: PLC0415  needs redis

    def tried(phases: tuple[Phase, ...]) -> list[int]:
        """What a machine tries of itself, with a connection of its own to the database."""
        sizes: list[int] = []

        @settings(database=RedisExampleDatabase(client), phases=phases, derandomize=False, max_examples=200)
        @given(st.integers(0, 1 << 16))
        def no_large_block(size: int) -> None:
            sizes.append(size)
            assert size < 4097

        with pytest.raises(AssertionError):
            no_large_block()
        return sizes

    tried((Phase.generate, Phase.shrink))
    assert tried((Phase.reuse,))[0] >= 4097
