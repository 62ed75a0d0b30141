"""Seeds for real threads: one for each worker of pytest-xdist, printed where a test fails."""

import pytest

ALONE = "master"                # the worker's name without pytest-xdist
FIRST_SEED = 5


@pytest.fixture
def seed(worker_id: str) -> int:
    """This worker's seed."""
    number = 0 if worker_id == ALONE else int(worker_id.removeprefix("gw"))
    print(f"seed {FIRST_SEED + number} on worker {worker_id}")      # noqa: T201  shown with a failure
    return FIRST_SEED + number
