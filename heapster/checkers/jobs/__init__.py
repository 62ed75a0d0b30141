"""Pieces of work that do not depend on each other, done on several cores or on many machines."""
