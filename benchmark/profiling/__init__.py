"""How fast a method is on this machine, and where its time goes."""
