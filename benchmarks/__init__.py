"""The benchmark harness: sweep, stored numbers, ledger, checks and report."""

from replicate import arithmetic

# Here, because the modules import NumPy before anything of this package could be called.
arithmetic.pin()
