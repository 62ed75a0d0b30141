"""One trace on several allocators at once."""
