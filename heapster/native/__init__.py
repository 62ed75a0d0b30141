"""The native reading: `impl` compiled ahead of time into libheapster, which needs libc and nothing else."""
