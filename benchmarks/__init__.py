"""The benchmark harness: sweep, stored numbers, ledger, checks and report."""
