"""A run on Ray: the only part of the package that imports it."""
