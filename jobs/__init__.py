"""Programs for `ray job submit`, and benchmarks."""
