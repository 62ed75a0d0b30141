"""Pieces of work on other machines."""
