"""A test set's maps → metrics and a scored run, whoever made the maps."""
