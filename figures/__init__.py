"""One script a figure; each loads finished runs, draws and saves."""

from replicate import surroundings

# Here, because the scripts import NumPy and Matplotlib first of all.
surroundings.prepare()
