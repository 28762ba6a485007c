"""Published numbers met again: plans of what was published, the runs they need, and a verdict on each figure."""
