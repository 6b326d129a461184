"""A title of which there are embeddings alone: no video, no pictures."""
