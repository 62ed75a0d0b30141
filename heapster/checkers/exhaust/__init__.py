"""Every program of at most so many calls: a walk over the heaps that they reach, a layer for each call."""
