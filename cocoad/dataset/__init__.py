"""What a built dataset is: its manifests, who belongs to which split, its masks, and the official layout's names."""
