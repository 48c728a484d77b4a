"""The benchmark harness: sweep, stored numbers, ledger, checks and report."""

from replicate import surroundings

# Here, because the modules import NumPy and Matplotlib first of all.
surroundings.prepare()
