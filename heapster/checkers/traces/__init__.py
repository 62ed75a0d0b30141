"""Long traces: kept compactly, read and written in several formats, and generated."""
