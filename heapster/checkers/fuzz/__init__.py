"""Generated programs, held against the model, and shrunk when they fail."""
