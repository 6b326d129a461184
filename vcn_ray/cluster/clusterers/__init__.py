"""Ways to find the characters of a title, by name in `table`."""
