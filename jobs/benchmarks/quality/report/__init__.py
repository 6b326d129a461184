"""What the bench keeps and shows: tables of scores, of confidence, of the loop."""
