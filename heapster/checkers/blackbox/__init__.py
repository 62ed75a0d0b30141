"""Any malloc, held against the specification: found in its shared object, run in a child, judged."""
