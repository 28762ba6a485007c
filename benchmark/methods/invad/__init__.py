"""InvAD and InvAD-lite."""
