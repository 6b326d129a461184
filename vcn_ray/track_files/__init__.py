"""Faces, tracks and identities as others write and read them: one module a format, both ways."""
