"""Translation validation without traces: what LLVM made of `impl`, shown to do what the source does, for all words."""
