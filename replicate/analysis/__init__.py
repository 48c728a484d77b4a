"""Measures of fitted models and of what they make: errors, shapes, latents, descriptors."""
