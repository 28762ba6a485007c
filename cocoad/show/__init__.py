"""What a built dataset looks like: statistics and a contact sheet."""
