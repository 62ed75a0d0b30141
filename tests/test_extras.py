"""One place knows which extra brings what: it agrees with pyproject.toml, and nothing else says it."""

import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from heapster.extras import EXTRAS, bringing, install

TOP = Path(__file__).parents[1]


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_brings_its_modules(extra: str) -> None:
    """By the distributions that are installed here."""
    declared = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]["optional-dependencies"][extra]
    packages = {re.match(r"[\w.-]+", one)[0].lower() for one in declared}  # type: ignore[index]  # each begins with one
    by_module = {module: {name.lower() for name in names} for module, names in packages_distributions().items()}
    assert packages <= {name for module in EXTRAS[extra].modules for name in by_module[module]}


def test_a_missing_module_names_its_extra() -> None:
    assert bringing("llvmlite.binding") == install("native") == "pip install 'heapster[native]'"
    assert bringing("antigravity") == ""


def test_nothing_else_names_an_extra() -> None:
    named = [path for path in (TOP / "heapster").rglob("*.py") if re.search(r"heapster\[\w", path.read_text())]
    assert named == []


def test_what_other_tools_read_is_whole() -> None:
    """The action, the hook, the image and the citation name commands, inputs and a version that there are."""
    action = (TOP / "action.yml").read_text()
    inputs = re.findall(r"^  ([a-z-]+):$", action.partition("outputs:")[0], re.MULTILINE)
    assert set(re.findall(r"inputs\.([a-z-]+)", action)) == set(inputs)
    assert "entry: heapster fuzz --seconds 5" in (TOP / ".pre-commit-hooks.yaml").read_text()
    assert 'ENTRYPOINT ["heapster"]' in (TOP / "Dockerfile").read_text()
    version = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]["version"]
    assert f"\nversion: {version}\n" in (TOP / "CITATION.cff").read_text()
