"""From a score to a decision: thresholds, what they miss and raise, p-values, and regions of a map."""
