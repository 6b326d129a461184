"""Methods against each other on labelled seasons; ``python -m jobs.benchmarks quality --help``."""
