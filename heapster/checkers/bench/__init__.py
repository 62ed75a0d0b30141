"""`bench`: workloads under each allocator, measured in interleaved rounds."""
