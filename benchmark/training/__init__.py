"""Training and scoring: a configuration in, a run directory out."""
