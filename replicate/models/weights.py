"""Weights by name, and inference in batches of one fixed shape."""

from __future__ import annotations

import mxnet as mx
import numpy as np

from replicate.errors import ReplicationError

EVALUATION_BATCH = 500


def in_batches(function, array, batch_size=EVALUATION_BATCH):
    """Apply a Gluon function to an array in batches of one fixed shape, the last one padded.

    Parameters
    ----------
    function : callable
        NDArray to a tuple of NDArrays, each with the batch on its first axis.
    array : ndarray, shape (n, ...)

    Returns
    -------
    list of ndarray, each of shape (n, ...)
    """
    array = np.asarray(array, dtype=np.float32)
    size = min(batch_size, len(array))
    pieces = []
    for start in range(0, len(array), size):
        batch = array[start : start + size]
        padded = np.concatenate(
            [batch, np.zeros((size - len(batch), *batch.shape[1:]), dtype=np.float32)]
        )
        pieces.append([output.asnumpy()[: len(batch)] for output in function(mx.nd.array(padded))])
    return [np.concatenate(outputs) for outputs in zip(*pieces)]


def named_parameters(network):
    """Return the parameters of a Gluon block by their path in it, as `save_parameters` names them."""
    return network._collect_params_with_prefix()


def get_weights(network):
    """Copy the weights of a Gluon block into NumPy arrays, by name."""
    return {
        name: parameter.data().asnumpy() for name, parameter in named_parameters(network).items()
    }


def set_weights(network, weights):
    """Load weights by name into a Gluon block.

    Raises
    ------
    ReplicationError
        If a name is missing, unknown, or its shape is not the network's.
    """
    parameters = named_parameters(network)
    expected = {name: parameter.shape for name, parameter in parameters.items()}
    found = {name: array.shape for name, array in weights.items()}
    if expected != found:
        wrong = sorted(
            name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)
        )
        raise ReplicationError(
            f"the weights do not fit this network: {', '.join(wrong[:5])}. Delete the run and train again."
        )
    for name, parameter in parameters.items():
        parameter.set_data(mx.nd.array(weights[name]))
