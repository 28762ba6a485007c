"""COCO root → built dataset, all splits in one pass."""
