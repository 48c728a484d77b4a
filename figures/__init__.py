"""One script a figure; each loads finished runs, draws and saves."""

from replicate import arithmetic

# Here, because the scripts import NumPy before anything of this package could be called.
arithmetic.pin()
