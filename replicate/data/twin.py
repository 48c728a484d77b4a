"""A simulated twin of the scan.

It is what runs when the measured arrays cannot be had, and where the truth is known. A film of
c/a/c/a stripes and a1/a2 bands (Section 2) is laid out on the grid, material parameters are drawn
over it, and `twin_physics` turns them into loops. Geometry, levels and spreads were measured on the
prepared arrays; no measured value is copied.
"""

from __future__ import annotations

import numpy as np

from replicate.data import twin_physics as physics
from replicate.data.beps import stored_voltages
from replicate.data.scan import SHAPE, Scan
from replicate.data.twin_parameters import PIXEL_UM, TwinParameters
from replicate.errors import ReplicationError

#: The truth maps that have the unit of each channel. The first map of a channel is the one that
#: moves with the channel's zero.
LEVELS = {
    "piezoresponse": ("offset", "amplitude", "tilt"),
    "resonance": ("stiffness", "drift", "softening", "hardening", "jerk", "roof", "slope", "creep"),
}


def simulate(
    seed: int = 0,
    shape: tuple[int, int] = SHAPE,
    noise: bool = True,
    parameters: TwinParameters | None = None,
) -> Scan:
    """Simulate a scan.

    Parameters
    ----------
    seed : int
        Seed of all randomness; the same seed gives the same bits.
    shape : tuple of int
        Rows and columns; a pixel is 33 nm wide.
    noise : bool
        Whether to add measurement noise. Without noise, the scan is in the z-scores of the noisy
        one.
    parameters : TwinParameters, optional
        Everything that the twin is made from; `TwinParameters()` by default.

    Returns
    -------
    Scan
        Its provenance is ``"simulated twin"``, and its resonance is stored a quarter of a cycle on,
        as in the prepared arrays. Its `truth` has the maps that the scan was made from, in V, um
        and the z-scores of the scan.

    Raises
    ------
    ReplicationError
        If the grid has fewer than two rows or columns.
    """
    if len(shape) != 2 or min(shape) < 2:
        raise ReplicationError(
            f"shape: {tuple(shape)}, expected at least two rows and two columns."
        )
    parameters = parameters or TwinParameters()
    rng = np.random.default_rng(seed)
    domains = physics.lay_out(parameters, shape, rng)
    truth = {**domains, **physics.draw_materials(parameters, domains, rng)}
    voltage = physics.voltage_cycle()
    spectra = []
    noiseless = _noiseless_channels(truth, voltage, rng)
    for (channel, values), level in zip(noiseless.items(), parameters.noise):
        noisy = values + level * values.std() * rng.standard_normal(values.shape)
        mean = noisy.mean()
        std = noisy.std()
        chosen = noisy if noise else values
        spectra.append((chosen - mean) / std)
        for name in LEVELS[channel]:
            truth[name] = truth[name] / std
        truth[LEVELS[channel][0]] -= mean / std
    return Scan(
        spectra=np.concatenate(spectra, axis=1).astype(np.float32),
        shape=tuple(shape),
        voltages=stored_voltages(voltage),
        provenance="simulated twin",
        size_um=(shape[0] * PIXEL_UM, shape[1] * PIXEL_UM),
        truth=truth,
    )


def _noiseless_channels(truth, voltage, rng):
    """Return the loops of each channel without noise, (n_pixels, n_steps), in stored order."""
    flat = {name: values.ravel() for name, values in truth.items()}
    piezoresponse = physics.piezoresponse(flat, voltage)
    resonance = physics.resonance(flat, voltage, rng)
    return {
        "piezoresponse": piezoresponse,
        "resonance": np.roll(resonance, len(voltage) // 4, axis=1),
    }
