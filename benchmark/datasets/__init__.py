"""Datasets: every layout on disk becomes the same list of samples."""
