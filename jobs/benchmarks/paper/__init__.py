"""``python -m jobs.benchmarks paper``: `method: paper` under many settings, against the course that was published."""
