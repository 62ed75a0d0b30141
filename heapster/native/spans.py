"""The source as it is built with spans: one word of it is another."""

import sys
from pathlib import Path
from types import ModuleType

from heapster.results import TargetError

WORD_OFF, WORD_ON = "SPANS = 0 ", "SPANS = 1 "
SHIPPED = True                  # whether what ships is built with spans


def load_with_spans(package: str, root: Path) -> None:
    """Load the layout of runs with that word, for all other modules of the package: none has been loaded yet."""
    path, name = root / "run_layout.py", f"{package}.run_layout"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if text.count(WORD_OFF) != 1:
        raise TargetError(f"{root} has no spans: {path.name} does not say whether there are any")
    assert name not in sys.modules, "somebody has read it without"
    module = ModuleType(name)
    module.__dict__.update(__file__=str(path), __package__=package)
    sys.modules[name] = module
    exec(compile(text.replace(WORD_OFF, WORD_ON), path, "exec"), module.__dict__)       # noqa: S102  it is ours
