"""Which benchmarks there are, how their files are read, whose prompts they take."""
