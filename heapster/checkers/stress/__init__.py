"""Real threads on a compiled allocator; see `runner.stress` for the whole of it."""
