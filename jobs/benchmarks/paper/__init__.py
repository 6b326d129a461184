"""``python -m jobs.benchmarks paper``: `method: paper` under many settings, held against the course that it published."""
