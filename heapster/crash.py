"""The trace of an internal error: its traceback, in a file or, with HEAPSTER_DEBUG, on stderr."""

import os
import tempfile
import traceback


def saved(error: Exception) -> str:
    """Save the traceback; where to find it."""
    if os.environ.get("HEAPSTER_DEBUG"):
        traceback.print_exception(error)
        return "traceback above"
    try:
        with tempfile.NamedTemporaryFile("w", prefix="heapster-", suffix=".txt", delete=False) as file:
            file.writelines(traceback.format_exception(error))
    except OSError:
        return "HEAPSTER_DEBUG=1 shows the traceback"
    return f"traceback in {file.name}; HEAPSTER_DEBUG=1 shows it"
