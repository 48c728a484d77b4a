"""The movies: frames, files, and the two kinds there are."""
