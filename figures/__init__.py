"""One script a figure; each loads finished runs, draws and saves."""
