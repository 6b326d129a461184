"""What is measured on: labelled seasons, copies and joins of them, and the cases that they give."""
