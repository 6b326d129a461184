"""Whole seasons on Ray: the only part of the package that imports it."""
