"""Large seasons whose work is sleep; ``python -m jobs.benchmarks.simulation --help``."""
