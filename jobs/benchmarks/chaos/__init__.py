"""Seasons under a hail of deaths; ``python -m jobs.benchmarks.chaos --help``."""
