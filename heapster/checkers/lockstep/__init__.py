"""An allocator and the model, step by step together."""
