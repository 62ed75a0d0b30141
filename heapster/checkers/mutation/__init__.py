"""Faults planted in the project's own source, by hand or drawn, and who catches them."""
