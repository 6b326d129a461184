"""What editing programs read: time codes, markers and timelines, a video each."""
