"""Many runs from one plan: methods × datasets × splits × seeds, here or on a cluster."""
