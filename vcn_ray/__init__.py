"""Find the cast of whole seasons of film and television: VideoClusterNet on Ray."""
