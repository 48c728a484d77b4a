"""Models as scikit-learn transformers: `linear` (everywhere) and `lstm_vae` (where MXNet is installed)."""
