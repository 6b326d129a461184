"""Figures to hold a run against; ``python -m jobs.benchmarks --help``."""
