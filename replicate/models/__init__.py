"""Models as scikit-learn transformers.

`linear` and `dictionary` work everywhere; the autoencoders need MXNet.
"""
