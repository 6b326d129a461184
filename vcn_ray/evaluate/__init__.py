"""Runs measured against ground truth."""
