"""Policies and allocators side by side on traces: in lock-step with the model, measured, and scored."""
