"""The study: which models are fitted to which data, with which parameters."""
