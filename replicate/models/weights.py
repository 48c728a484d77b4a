"""Weights of a Gluon network by name, and its evaluation in batches of one fixed shape."""

from __future__ import annotations

from collections.abc import Callable

import mxnet as mx
import numpy as np
from mxnet.gluon import Block, Parameter

from replicate.errors import ReplicationError

#: So many spectra are evaluated at a time.
EVALUATION_BATCH = 500


def in_batches(
    function: Callable[[mx.nd.NDArray], tuple[mx.nd.NDArray, ...]],
    array: np.ndarray,
    batch_size: int | None = None,
) -> list[np.ndarray]:
    """Apply a Gluon function to an array in batches of one fixed shape, the last one padded.

    Parameters
    ----------
    function : callable
        Takes an NDArray and returns a tuple of NDArrays, each with the batch on its first axis.
    array : ndarray of shape (n, ...)
        The input; it is converted to float32.
    batch_size : int, optional
        Length of a batch, or of the only one where the array is shorter; `EVALUATION_BATCH` by
        default.

    Returns
    -------
    list of ndarray of shape (n, ...)
        One array for each output of the function.
    """
    array = np.asarray(array, dtype=np.float32)
    size = min(batch_size or EVALUATION_BATCH, len(array))
    pieces = []
    for start in range(0, len(array), size):
        batch = array[start : start + size]
        padding = np.zeros((size - len(batch), *batch.shape[1:]), dtype=np.float32)
        outputs = function(mx.nd.array(np.concatenate([batch, padding])))
        pieces.append([output.asnumpy()[: len(batch)] for output in outputs])
    return [np.concatenate(outputs) for outputs in zip(*pieces)]


def named_parameters(network: Block) -> dict[str, Parameter]:
    """Return the parameters of a Gluon block by their path in it, such as ``encoder.mean.bias``."""
    return network._collect_params_with_prefix()


def get_weights(network: Block) -> dict[str, np.ndarray]:
    """Copy the weights of a Gluon block into NumPy arrays, by name."""
    return {
        name: parameter.data().asnumpy() for name, parameter in named_parameters(network).items()
    }


def set_weights(network: Block, weights: dict[str, np.ndarray]) -> None:
    """Load weights by name into a Gluon block.

    Raises
    ------
    ReplicationError
        If a name is missing or unknown, or if an array has not the shape that the network has.
        No weight is changed then.
    """
    parameters = named_parameters(network)
    expected = {name: parameter.shape for name, parameter in parameters.items()}
    given = {name: array.shape for name, array in weights.items()}
    if expected != given:
        names = sorted(expected.keys() | given.keys())
        wrong = [name for name in names if expected.get(name) != given.get(name)]
        raise ReplicationError(
            f"the weights do not fit this network: {', '.join(wrong[:5])}. "
            "Delete the run and train again."
        )
    for name, parameter in parameters.items():
        # `set_data` cannot write to weights that oneDNN has laid out for itself in a forward pass.
        mx.nd.identity(mx.nd.array(weights[name]), out=parameter.data())
