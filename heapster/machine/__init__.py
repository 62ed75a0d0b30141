"""Machines: what the allocator may ask of memory, locks and the operating system, and who answers."""
