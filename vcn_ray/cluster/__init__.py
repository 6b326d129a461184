"""Track quality, coarse matching and stage 3: clustering without a threshold to set."""
