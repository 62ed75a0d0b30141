"""As `heapster.native.compile`, of the source with spans."""

import runpy
from pathlib import Path

import heapster.impl
from heapster.native.spans import load_with_spans

if __name__ == "__main__":
    load_with_spans("heapster.impl", Path(heapster.impl.__file__).parent)
    runpy.run_module("heapster.native.compile", run_name="__main__", alter_sys=True)
