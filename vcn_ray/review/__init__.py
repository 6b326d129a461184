"""The page on which people check, correct and name a season's cast: a server for this machine, and what it serves."""
