"""What is measured: kinds of number, metrics, tables, comparisons."""
