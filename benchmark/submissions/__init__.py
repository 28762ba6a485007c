"""A method's results small enough for a git repository, and everything on them computed again from the files."""
