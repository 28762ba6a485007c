"""``bench try``: several methods on a person's photos within a time; which one to use, why, and a file to ship."""
