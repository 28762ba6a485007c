"""Runs and published rows → rankings and their tables."""
