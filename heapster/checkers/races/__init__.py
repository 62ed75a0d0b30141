"""Every schedule of small programs, chosen, shrunk and replayed; see `search.search` for the whole of it."""
