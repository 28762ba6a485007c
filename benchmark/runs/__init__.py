"""What a run leaves on disk: its identity, record and outputs, the lock on its directory, and finding runs again."""
