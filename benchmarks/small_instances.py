"""A small instance of every model, fitted and hashed, so that processors can be compared.

``python -m benchmarks.small_instances`` fits every instance; with names after it, those alone.
`benchmarks.portable` runs it in processes of their own, all of which read the same data. The first
line that it prints is a JSON object with the code that the libraries chose; then follows one JSON
object for each instance.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import threadpoolctl
from numpy.core._multiarray_umath import __cpu_dispatch__ as NUMPY_DISPATCH
from numpy.core._multiarray_umath import __cpu_features__ as NUMPY_FEATURES
from sklearn.exceptions import ConvergenceWarning

from replicate.analysis.loops import describe_spectra
from replicate.analysis.refine import refine
from replicate.analysis.residuals import per_index, per_spectrum_mse
from replicate.analysis.spatial import variance_explained
from replicate.data import toy
from replicate.data.heldout import spatial_folds
from replicate.data.scan import Scan
from replicate.data.twin import simulate
from replicate.files import read_npz, write_npz
from replicate.models.schedule import BetaSchedule
from replicate.reference.restore import restore
from replicate.running import machine
from replicate.running.evaluate import weights
from replicate.study import family
from replicate.study.family import MODELS, ScanSizes
from replicate.study.job import Job

#: Seed of all data and of all models.
SEED = 0

#: The data set of the study whose design an instance has, by the first part of its name.
DATASETS = {"toy": "toy", "scan": "beps"}

#: Colours of the toy problem that models are fitted to.
N_COLOURS = 60

#: Rows and columns of the simulated scan; spatial folds need some blocks of pixels.
GRID = (12, 12)

#: Spectra of the simulated scan that models are fitted to.
N_SPECTRA = 48

#: Spectra in each update of a network. It divides neither `N_COLOURS` nor `N_SPECTRA`, so that the
#: last batch of an epoch is left out, as in the study.
BATCH_SIZE = 25

#: The schedule of every network that has a ramp: each phase has a few epochs.
SCHEDULE = BetaSchedule(warmup_epochs=2, kl_share=0.9, max_steps=3, settle_epochs=3)

#: The paper's network is not one of the family: residual blocks of two bidirectional layers.
PAPER_NETWORK = "paper_network"

#: The paper's network is this narrow here, and has one block.
PAPER_NETWORK_SIZES = {"n_blocks": 1, "width": 16}

#: Most iterations of the linear models that have a limit.
MAX_ITERATIONS = 20

#: Models whose stored weights `verify` decodes in NumPy, one of each kind of layer.
DECODED_IN_NUMPY = ("dense_vae", "conv_vae", "lstm_vae")

#: Steps in the search for the best latents.
N_REFINEMENTS = 2

#: Spectra whose best latents are searched.
N_REFINED = 12

#: The name of the instance that computes what `verify` computes beside models.
SCORES = "scan/scores"

#: The names of the instances that make the data.
DATA = tuple(f"{data}/spectra" for data in DATASETS)


class Spectra(NamedTuple):
    """The spectra of one data set, each of shape (n, n_features), float32.

    Attributes
    ----------
    train : ndarray
        The spectra that models are fitted to.
    fresh : ndarray
        Other spectra, which are encoded and decoded.
    """

    train: np.ndarray
    fresh: np.ndarray


def names() -> list[str]:
    """Return the names of all instances, ``<data>/<model>``, in the order of the table."""
    models = [*MODELS, PAPER_NETWORK]
    fitted = [f"{data}/{model}" for model in models for data in DATASETS]
    return [*fitted, SCORES, *DATA]


class SmallData:
    """The data of all instances.

    Parameters
    ----------
    toy_spectra : Spectra
    scan : Scan
        The simulated twin on a small grid.
    """

    def __init__(self, toy_spectra: Spectra, scan: Scan):
        self.scan = scan
        spectra = scan.spectra
        self.spectra = {
            "toy": toy_spectra,
            "scan": Spectra(spectra[:N_SPECTRA], spectra[N_SPECTRA : 2 * N_SPECTRA]),
        }

    @classmethod
    def make(cls) -> SmallData:
        """Make the data."""
        return cls(_make_toy(), simulate(SEED, GRID))

    @classmethod
    def read(cls, path: Path) -> SmallData:
        """Read the data from a file that `write` wrote."""
        arrays = read_npz(path)
        scan = Scan(arrays["scan"], GRID, arrays["voltages"], provenance="simulated twin")
        return cls(Spectra(arrays["train"], arrays["fresh"]), scan)

    def write(self, path: Path) -> None:
        """Write the data to an ``.npz`` file."""
        write_npz(
            path,
            scan=self.scan.spectra,
            voltages=self.scan.voltages,
            **self.spectra["toy"]._asdict(),
        )


def _make_toy():
    drawn = toy.draw(SEED, N_COLOURS, N_COLOURS)
    return Spectra(drawn.train, drawn.gamut)


def build(name: str, scan: Scan):
    """Return the unfitted model of an instance, a scikit-learn transformer.

    Its layers are those of the standard profile; only the paper's network is made smaller.

    Parameters
    ----------
    name : str
        As `names` lists them.
    scan : Scan
        The scan of the small data.
    """
    data, model_name = name.split("/")
    sizes = ScanSizes.of(scan)
    if model_name == PAPER_NETWORK:
        model = family.build(Job("paper", DATASETS[data], "lstm_vae", SEED), sizes)
        model.set_params(**PAPER_NETWORK_SIZES)
    else:
        model = family.build(Job("standard", DATASETS[data], model_name, SEED), sizes)
    if hasattr(model, "schedule"):
        schedule = replace(SCHEDULE, rule=model.schedule.rule, fixed_beta=model.schedule.fixed_beta)
        model.set_params(schedule=schedule, batch_size=BATCH_SIZE)
    elif "max_iter" in model.get_params():
        model.set_params(max_iter=MAX_ITERATIONS)
    return model


def hash_arrays(arrays: Mapping[str, np.ndarray]) -> str:
    """Return the SHA-256 of arrays: of their names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def run(name: str, data: SmallData) -> dict[str, str | float]:
    """Fit an instance, or compute the scores or the data, and return what can be compared.

    Parameters
    ----------
    name : str
        As `names` lists them.
    data : SmallData

    Returns
    -------
    dict of str to str or float
        The SHA-256 of each group of arrays, and some numbers in full precision.
    """
    machine.seed_everything(SEED)
    with warnings.catch_warnings():
        # Few iterations are meant to be too few.
        warnings.simplefilter("ignore", ConvergenceWarning)
        if name == SCORES:
            return _scores(data.scan)
        if name in DATA:
            return _made(name)
        return _fitted(name, data)


def _made(name):
    """Make the data of an instance, and return what can be compared."""
    if name.startswith("toy"):
        return {"spectra": hash_arrays(_make_toy()._asdict())}
    scan = simulate(SEED, GRID)
    return {
        "spectra": hash_arrays({"spectra": scan.spectra, "voltages": scan.voltages}),
        "truth": hash_arrays(scan.truth),
    }


def _fitted(name, data):
    """Fit the model of an instance, and return what can be compared."""
    domain, model_name = name.split("/")
    spectra = data.spectra[domain]
    model = build(name, data.scan).fit(spectra.train)
    learned = weights(model)
    latents = model.transform(spectra.fresh)
    reconstructions = model.inverse_transform(latents)
    compared = {
        "weights": hash_arrays(learned),
        "latents": hash_arrays({"latents": latents}),
        "reconstructions": hash_arrays({"reconstructions": reconstructions}),
        "mse": float(per_spectrum_mse(spectra.fresh, reconstructions).mean()),
    }
    if hasattr(model, "selected_"):
        compared |= {
            "epochs": len(model.history_),
            "training_mse": model.history_[-1]["mse"],
            "selected_beta": model.selected_["beta"],
            "active_channels": int(model.active_.sum()),
        }
    if model_name in DECODED_IN_NUMPY:
        job = Job("standard", DATASETS[domain], model_name, SEED)
        compared |= _decoded_in_numpy(job, model, learned, spectra)
    return compared


def _decoded_in_numpy(job, model, learned, spectra):
    """Return what `verify` computes of a network from its weights, without MXNet."""
    arrays = {**learned, "in_use": model.channel_kl_ != 0}
    restored = restore(job, arrays, spectra.train, model.get_params())
    few = spectra.fresh[:N_REFINED]
    latents = restored.transform(few)
    reconstructions = restored.inverse_transform(latents)
    refined = refine(
        restored.inverse_transform, latents, few, arrays["in_use"], n_iterations=N_REFINEMENTS
    )
    return {
        "numpy_latents": hash_arrays({"latents": latents}),
        "numpy_reconstructions": hash_arrays({"reconstructions": reconstructions}),
        "refined": hash_arrays({"refined": refined}),
    }


def _scores(scan):
    """Return what `verify` computes of loops and of maps of errors."""
    descriptors, switches = describe_spectra(scan, scan.spectra)
    # Any model of low rank leaves errors to be explained: here the means of neighbouring steps.
    pairs = scan.spectra.reshape(len(scan.spectra), -1, 2)
    reconstructions = pairs.mean(axis=2, keepdims=True).repeat(2, axis=2)
    reconstructions = reconstructions.reshape(scan.spectra.shape)
    errors = per_spectrum_mse(scan.spectra, reconstructions)
    folds = spatial_folds(scan.shape, block=3)
    return {
        "descriptors": hash_arrays({**descriptors, "switches": switches}),
        "errors_by_index": hash_arrays(per_index(scan.spectra, reconstructions)),
        "error_explained": variance_explained(errors, descriptors, folds),
    }


def chosen_code() -> dict[str, list[str]]:
    """Return the kernels of every OpenBLAS that is loaded, and the code that NumPy may run."""
    pools = threadpoolctl.threadpool_info()
    kernels = {pool["architecture"] for pool in pools if "architecture" in pool}
    features = [name for name in NUMPY_DISPATCH if NUMPY_FEATURES[name]]
    return {"openblas": sorted(kernels), "numpy": features}


def main(arguments: Iterable[str] | None = None) -> None:
    """Run instances and print what can be compared, one JSON object a line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="instances; all by default")
    parser.add_argument("--data", type=Path, help="file with the data; made anew by default")
    options = parser.parse_args(arguments)
    data = SmallData.read(options.data) if options.data else SmallData.make()
    say = partial(print, flush=True)
    say(json.dumps({"code": chosen_code()}))
    for name in options.names or names():
        start = time.perf_counter()
        compared = run(name, data)
        say(json.dumps({name: compared, "seconds": round(time.perf_counter() - start, 2)}))


if __name__ == "__main__":
    main()
