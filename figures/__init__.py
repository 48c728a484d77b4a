"""One script a figure: it loads finished runs, draws them and saves the picture."""
