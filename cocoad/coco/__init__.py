"""COCO itself: categories and splits, outlines, and the instances JSON as columns."""
