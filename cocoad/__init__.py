"""From COCO 2017 to COCO-AD: build the benchmark's datasets and prove that they are right."""

__version__ = "0.1.0"
