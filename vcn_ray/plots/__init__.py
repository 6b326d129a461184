"""Figures of a finished season as the supplement has them, drawn by matplotlib."""
