"""What is stored in the repository.

That is the metrics, the weights behind them, and the error at each index of the spectrum.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import sums
from replicate import seals
from replicate.data.heldout import square_blocks
from replicate.errors import ReplicationError
from replicate.files import read_npz, write_npz, write_text
from replicate.numbers.metrics import read_metrics, seeds_of
from replicate.provenance import Sources
from replicate.running.runs import Run
from replicate.study import sweeps
from replicate.study.job import Job
from replicate.study.studies import FAMILY, PAPER

#: Folder of the repository.
ROOT = Path(__file__).resolve().parents[1]

#: The profile whose numbers are stored.
PROFILE = "standard"

#: The data that the stored numbers were measured on.
SOURCES = Sources(scan="measured", picture="painting")

#: Data sets for which the weights of the whole family are stored. For every other data set only
#: those of the paper's study are.
WHOLE_FAMILY = ("toy", "beps_heldout")

#: Columns by which the table of the error at each index is looked up.
INDEX_KEYS = ["dataset", "model", "seed", "index"]

#: Columns by which the table of the errors in blocks of pixels is looked up, and the others.
BLOCK_KEYS = ["dataset", "model", "seed", "block"]
BLOCK_COLUMNS = ["n_pixels", "error", "refined"]

#: Side of these blocks, pixels. Neighbours are alike over some ten pixels.
BLOCK_SIDE = 12


def jobs_with_weights(document: dict) -> list[Job]:
    """List the jobs behind a metrics document whose weights are stored.

    Parameters
    ----------
    document : dict
        As read from metrics.json.
    """
    listed = FAMILY.jobs(PROFILE, seeds=seeds_of(document))
    return [job for job in listed if _is_stored(job) and _is_measured(job, document)]


def _is_stored(job):
    return job.dataset in WHOLE_FAMILY or job.model in PAPER.models.get(job.dataset, ())


def _is_measured(job, document):
    entry = document["metrics"].get(f"{job.dataset}.{job.model}.mse")
    return entry is not None and job.seed in entry["seeds"]


@dataclass(frozen=True)
class Store:
    """The files of a baseline.

    Attributes
    ----------
    folder : Path
        Where they lie; benchmarks/stored by default.
    """

    folder: Path = sums.FOLDER

    @property
    def metrics_path(self) -> Path:
        """Path of the metrics, with the machine they were made on."""
        return self.folder / "metrics.json"

    @property
    def index_path(self) -> Path:
        """Path of the table of the error at each index."""
        return self.folder / "per_index.csv"

    @property
    def block_path(self) -> Path:
        """Path of the table of the errors in blocks of pixels."""
        return self.folder / "blocks.csv"

    @property
    def sweeps_path(self) -> Path:
        """Path of the numbers of the sweeps."""
        return self.folder / "sweeps.csv"

    @property
    def causal_path(self) -> Path:
        """Path of the record of the causal extension, beside which its verdicts and maps lie."""
        return self.folder / "causal" / "causal.json"

    def weights_path(self, job: Job) -> Path:
        """Return the path of the learned arrays of a job."""
        return self.folder / "weights" / f"{job.dataset}.{job.model}.seed{job.seed}.npz"

    def metrics(self) -> dict:
        """Return the stored metrics document."""
        return read_metrics(self.metrics_path)

    def weights(self, job: Job) -> dict[str, np.ndarray]:
        """Return the learned arrays of a job by name.

        A VAE also has ``in_use``, bool, shape (n_components,): the channels that are not switched
        off. A job whose refined latents were scored also has ``refined``, shape (n, n_components).
        """
        return read_npz(self.weights_path(job))

    def index_table(self) -> pd.DataFrame:
        """Return the table of the error at each index, as `index_rows` makes it.

        Raises
        ------
        ReplicationError
            If the table or one of its columns is missing.
        """
        return _read_table(self.index_path, INDEX_KEYS, ["bias", "spread"])

    def block_table(self) -> pd.DataFrame:
        """Return the table of the errors in blocks of pixels, as `block_rows` makes it.

        Raises
        ------
        ReplicationError
            If the table or one of its columns is missing.
        """
        return _read_table(self.block_path, BLOCK_KEYS, BLOCK_COLUMNS)

    def sweeps(self) -> pd.DataFrame:
        """Return the numbers of the sweeps, as `replicate.study.sweeps.table` makes them.

        Raises
        ------
        ReplicationError
            If the table or one of its columns is missing.
        """
        return _read_table(self.sweeps_path, [], list(sweeps.COLUMNS))

    def statements(self) -> list[dict]:
        """Return the statements of the source of the causal extension, each with its verdict.

        `replicate.causal.statements` judges them.
        """
        return seals.read(self.causal_path.with_name("verdicts.json"))["statements"]

    def write_weights(self, runs: Mapping[Job, Run]) -> None:
        """Replace the stored weights by those of runs."""
        for job, run in runs.items():
            write_npz(self.weights_path(job), **learned(run))
        paths = sorted(self.weights_path(job) for job in runs)
        for stale in set((self.folder / "weights").glob("*.npz")) - set(paths):
            stale.unlink()

    def write_index_table(self, runs: Mapping[Job, Run]) -> None:
        """Replace the table of the error at each index by that of runs."""
        tables = [
            index_rows(job, run.arrays) for job, run in runs.items() if "index_bias" in run.arrays
        ]
        table = pd.concat(tables).sort_index()
        write_text(self.index_path, table.to_csv(float_format="%.7g"))

    def write_block_table(self, tables: Iterable[pd.DataFrame]) -> None:
        """Replace the table of the errors in blocks of pixels by tables that `block_rows` makes."""
        table = pd.concat(tables).sort_index()
        write_text(self.block_path, table.to_csv(float_format="%.9g"))


def _read_table(path, keys, columns):
    """Return the columns of a table, by its keys if there are any."""
    try:
        state = path.stat()
        table = _read_csv(path, state.st_mtime_ns, state.st_size)
        return (table.set_index(keys) if keys else table)[columns]
    except (OSError, ValueError, KeyError) as error:
        raise ReplicationError(
            f"{path}: not readable ({error}). Restore it with git, or run `nox -s baseline`."
        ) from error


@lru_cache(maxsize=8)
def _read_csv(path, *_):
    """Read a table, once as long as the file stays as it is."""
    return pd.read_csv(path)


def block_rows(job: Job, arrays: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Return the errors of the pixels left out, by blocks of 12 x 12 pixels, for bootstraps.

    Parameters
    ----------
    job : Job
    arrays : dict of str to ndarray
        ``mse`` and ``heldout``, of all pixels; ``refined_mse``, of those left out.

    Returns
    -------
    DataFrame
        ``n_pixels``, how many pixels of the block were left out; ``error`` and ``refined``, sums of
        their mean squared errors by encoder and by best code, z-scores squared; `BLOCK_KEYS` are
        its index.
    """
    heldout = arrays["heldout"]
    pixels = {
        "block": square_blocks(side=BLOCK_SIDE)[heldout],
        "n_pixels": 1,
        "error": arrays["mse"][heldout],
        "refined": arrays["refined_mse"],
    }
    table = pd.DataFrame(pixels).groupby("block", as_index=False).sum()
    table = table.assign(dataset=job.dataset, model=job.model, seed=job.seed)
    return table.set_index(BLOCK_KEYS)[BLOCK_COLUMNS]


def learned(run: Run) -> dict[str, np.ndarray]:
    """Return the learned arrays of a run, as `Store.weights` describes them."""
    arrays = read_npz(run.folder / "weights.npz")
    if "channel_kl" in run.arrays:
        arrays["in_use"] = run.arrays["channel_kl"] != 0
    if "refined" in run.arrays:
        arrays["refined"] = run.arrays["refined"]
    return arrays


def index_rows(job: Job, arrays: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Return the error at each index of the spectrum as a table of one row an index.

    Parameters
    ----------
    job : Job
    arrays : dict of str to ndarray, each of shape (n_features,)
        With ``index_bias`` and ``index_spread``.

    Returns
    -------
    DataFrame
        ``bias`` and ``spread``: mean and standard deviation of the error, z-scores; `INDEX_KEYS`
        are its index.
    """
    bias = arrays["index_bias"]
    rows = {
        "dataset": job.dataset,
        "model": job.model,
        "seed": job.seed,
        "index": range(len(bias)),
        "bias": bias,
        "spread": arrays["index_spread"],
    }
    return pd.DataFrame(rows).set_index(INDEX_KEYS)
