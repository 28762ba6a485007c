"""anomalib's models: built and trained by anomalib, on this bench's datasets, and scored by this bench."""
