"""Settings: who may set what, who wins, and what is wrong, in one line."""

from pathlib import Path

import pytest

from heapster.config import ALL_KEYS, KEYS, POLICIES, check_environment, from_files
from heapster.model.placement import POLICY_NAMES
from heapster.results import UsageError

COMMANDS = ("check", "fuzz")


def settings(folder: Path, text: str, command: str = "fuzz", name: str = "heapster.toml") -> dict[str, object]:
    (folder / name).write_text(text, encoding="utf-8")
    return from_files(folder, command, COMMANDS)


def test_policies_are_the_models() -> None:
    assert tuple(POLICY_NAMES) == POLICIES


def test_no_key_is_there_twice() -> None:
    assert [key.name for key in ALL_KEYS] == list(KEYS)


def test_no_file_sets_nothing(tmp_path: Path) -> None:
    assert from_files(tmp_path, "fuzz", COMMANDS) == {}


def test_every_kind_of_value_is_read(tmp_path: Path) -> None:
    text = 'target = "process"\npolicy = ["best_fit", "next_fit"]\nseconds = 2.5\nexamples = 7\nfaults = false\n'
    assert settings(tmp_path, text) == {
        "target": "process", "policy": ("best_fit", "next_fit"), "seconds": 2.5, "examples": 7, "faults": False}


def test_pyproject_is_read_unless_there_is_a_file_of_our_own(tmp_path: Path) -> None:
    assert settings(tmp_path, "[tool.heapster]\nseed = 1\n", name="pyproject.toml") == {"seed": 1}
    assert settings(tmp_path, "seed = 2\n") == {"seed": 2}


def test_a_pyproject_of_other_tools_sets_nothing(tmp_path: Path) -> None:
    assert settings(tmp_path, "[tool.other]\nseed = 1\n", name="pyproject.toml") == {}


def test_a_commands_table_wins_for_that_command(tmp_path: Path) -> None:
    text = "seed = 1\n[fuzz]\nseed = 2\n"
    assert settings(tmp_path, text) == {"seed": 2}
    assert settings(tmp_path, text, command="check") == {"seed": 1}


@pytest.mark.parametrize(("text", "said"), [
    ("sede = 1", "unknown key 'sede': did you mean seed?"),
    ("[fuzz]\npolcy = 'all'", "unknown key 'fuzz.polcy': did you mean policy?"),
    ("[fuz]\nseed = 1", "unknown key 'fuz': did you mean fuzz?"),
    ("fuzz = 1", "'fuzz' must be a table"),
    ("seed = -1", "seed: -1 is not a whole number from 0"),
    ("seed = 1.5", "seed: 1.5 is not a whole number"),
    ("seed = true", "seed: True is not a whole number"),
    ("arenas = 65", "arenas: 65 is not a whole number from 1 to 64"),
    ("seconds = nan", "seconds: nan is not a number of seconds"),
    ("seconds = -1", "seconds: -1 is not a number of seconds"),
    ("faults = 'perhaps'", "faults: 'perhaps' is neither true nor false"),
    ("policy = 'best'", "policy: unknown policy 'best': did you mean best_fit?"),
    ("policy = []", "policy: [] is not a policy"),
    ("policy = [1]", "policy: unknown policy 1"),
    ("store = ''", "store: it is empty"),
    ("json = 3", "json: 3 is not a text"),
    ("seed = ", "heapster.toml is not TOML"),
])
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        settings(tmp_path, text)
    assert str(caught.value).startswith("heapster.toml")
    assert said in str(caught.value)


def test_the_target_may_be_a_table(tmp_path: Path) -> None:
    text = "[tool.heapster]\nseed = 3\n[tool.heapster.target]\npath = 'kr.c'\nprefix = 'kr_'\nalignment = 8\n"
    assert settings(tmp_path, text, name="pyproject.toml") == {
        "seed": 3, "target": "kr.c", "prefix": "kr_", "alignment": 8}


@pytest.mark.parametrize(("text", "said"), [
    ("[target]\npath = 3", "target.path: 3 is not a text"),
    ("[target]\npreffix = 'ft_'", "unknown key 'target.preffix': did you mean prefix?")])
def test_what_is_wrong_in_the_target_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        settings(tmp_path, text)
    assert said in str(caught.value)


def test_a_binary_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "heapster.toml").write_bytes(b"\xff\x00")
    with pytest.raises(UsageError, match=r"heapster\.toml is not TOML: it is not text"):
        from_files(tmp_path, "fuzz", COMMANDS)


def test_tool_heapster_must_be_a_table(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="must be a table"):
        settings(tmp_path, "[tool]\nheapster = 3\n", name="pyproject.toml")


@pytest.mark.parametrize(("key", "text", "value"), [
    ("policy", "all", POLICIES), ("policy", "best_fit,first_fit", ("best_fit", "first_fit")),
    ("policy", "best_fit, best_fit", ("best_fit",)), ("seed", "0x10", 16), ("seed", " 7 ", 7), ("seconds", "1e1", 10.0),
    ("faults", "no", False), ("faults", "ON", True),
])
def test_text_is_read_as_its_key_says(key: str, text: str, value: object) -> None:
    assert KEYS[key].read(text) == value


def test_an_unknown_variable_is_an_error_with_a_suggestion() -> None:
    check_environment(["HEAPSTER_SEED", "HEAPSTER_DEBUG", "PATH"])
    with pytest.raises(UsageError, match=r"HEAPSTER_SEDE: did you mean HEAPSTER_SEED\?"):
        check_environment(["HEAPSTER_SEDE"])
