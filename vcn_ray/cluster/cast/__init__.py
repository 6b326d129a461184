"""The cast of a season: characters of its titles that are one person."""
