"""Faces and tracks that a user gives instead of having them looked for."""
