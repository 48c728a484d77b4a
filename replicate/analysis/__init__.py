"""What is computed from fitted models and their reconstructions."""
