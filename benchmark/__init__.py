"""The COCO-AD harness: a dataset and a method in, a scored run out."""
