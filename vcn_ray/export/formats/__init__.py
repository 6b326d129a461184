"""Formats of other programs that a season is exported to: one module a format, by name in `exporters.EXPORTERS`."""
