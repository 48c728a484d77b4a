"""PCA with a decoder that may bend: spectra are quadratic in the principal components."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures


class QuadraticPCA:
    def __init__(self, n_components=5):
        self.n_components = n_components

    def fit(self, X):
        self.pca_ = PCA(self.n_components, whiten=True).fit(X)
        self.decoder_ = make_pipeline(PolynomialFeatures(2), Ridge(1.0, fit_intercept=False))
        self.decoder_.fit(self.pca_.transform(X), X)
        self.n_parameters_ = self.pca_.components_.size + self.decoder_[-1].coef_.size
        return self

    def transform(self, X):
        return self.pca_.transform(X).astype(np.float32)

    def inverse_transform(self, Z):
        return self.decoder_.predict(Z).astype(np.float32)
