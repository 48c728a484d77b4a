"""A scan of the user's own: its file, its arrays, and pycroscopy's format."""
