"""The field's methods, on the same tracks and face-ID model: what a result is held against."""
