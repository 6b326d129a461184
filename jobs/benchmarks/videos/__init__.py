"""Videos that are made of a finished season, against what decoding and encoding them costs."""
