"""Network parts and map operations that several methods share."""
