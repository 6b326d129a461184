"""Whoever watches a run: terminal, log, status file, summary; each a `Monitor`, none of which can stop it."""
