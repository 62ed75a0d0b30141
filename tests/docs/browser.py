"""A page in a headless browser: what probe.js says of it."""

import html
import json
import re
import shutil
from pathlib import Path
from typing import Any

from heapster import children

CHROMIUM = shutil.which("chromium")
PROBE = Path(__file__).parent / "probe.js"
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--hide-scrollbars", "--virtual-time-budget=4000", "--dump-dom")


def seen(page: Path, folder: Path, width: int, *flags: str) -> dict[str, Any]:
    """What a browser of that width makes of a page, by probe.js."""
    probed = folder / "probed.html"
    base = f'<base href="{page.as_uri()}">'
    text = page.read_text(encoding="utf-8").replace("<head>", f"<head>{base}", 1)
    probed.write_text(f"{text}<script>{PROBE.read_text(encoding='utf-8')}</script>", encoding="utf-8")
    profile = folder / "profile"
    done = children.run([str(CHROMIUM), *FLAGS, *flags, f"--window-size={width},900", f"--user-data-dir={profile}",
                         probed.as_uri()], capture_output=True, text=True)
    found = re.search(r"<title>(\{.*?\})</title>", done.stdout, re.DOTALL)
    assert found, done.stderr[-500:]
    told: dict[str, Any] = json.loads(html.unescape(found[1]))
    return told
