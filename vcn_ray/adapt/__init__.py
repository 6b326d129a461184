"""Stage 2: self-supervised adaptation of the face-ID network to one title."""
