"""Videos with who is seen drawn in, faces hidden, or the shots of one character alone."""
