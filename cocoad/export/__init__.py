"""One file per foreign layout of a built dataset."""
