"""A season from its titles to its results: the driver of a run, and what a finished run holds."""
