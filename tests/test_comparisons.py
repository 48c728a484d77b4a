import numpy as np

from replicate.comparisons import against_dictionary


def test_share_of_pixels_below_dictionary_learning():
    errors = {
        "dictionary_learning": np.array([1.0, 2.0, 3.0, 4.0]),
        "pca": np.array([0.5, 2.5, 2.5, 4.0]),
        "lstm_vae": np.zeros(4),
    }
    assert against_dictionary(errors) == {"pca": {"share_below_dictionary": 0.5}, "lstm_vae": {"share_below_dictionary": 1.0}}


def test_nothing_to_compare_with():
    assert against_dictionary({"pca": np.zeros(3)}) == {}
