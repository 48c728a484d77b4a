"""The data sets: the scan, its simulated twin, the toy problem, and where their files come from."""
