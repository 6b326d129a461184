"""Stage 1: probe a video, find shots, faces and tracks, judge them, take aligned sample crops."""
