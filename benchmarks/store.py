"""What is stored in the repository: metrics, the weights behind them, and the error at each index of the spectrum."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from replicate.errors import ReplicationError
from replicate.files import file_hash, read_json, read_npz, write_json, write_npz, write_text
from replicate.numbers.metrics import read_metrics, seeds_of
from replicate.study import sweeps
from replicate.study.studies import FAMILY, PAPER

ROOT = Path(__file__).resolve().parents[1]
PROFILE = "standard"
KEPT = ("toy", "beps_heldout")
"""Data sets of which the weights of the whole family are kept; of the others those of the paper's study."""
INDEX_KEYS = ["dataset", "model", "seed", "index"]


def kept(document):
    """List the jobs behind a metrics document whose weights are kept."""
    whole = FAMILY.jobs(PROFILE, seeds=seeds_of(document))
    ours = [
        job
        for job in whole
        if job.dataset in KEPT or job.model in PAPER.models.get(job.dataset, ())
    ]
    entries = {job: document["metrics"].get(f"{job.dataset}.{job.model}.mse") for job in ours}
    return [job for job, entry in entries.items() if entry and job.seed in entry["seeds"]]


@dataclass(frozen=True)
class Store:
    """The files of a baseline."""

    folder: Path = ROOT / "benchmarks" / "stored"

    @property
    def metrics_path(self):
        """Path of the metrics, with the machine they were made on."""
        return self.folder / "metrics.json"

    @property
    def hashes_path(self):
        """Path of the sha256 of every file of weights, by name."""
        return self.folder / "weights" / "sha256.json"

    @property
    def index_path(self):
        """Path of the table of the error at each index."""
        return self.folder / "per_index.csv"

    @property
    def sweeps_path(self):
        """Path of the numbers of the sweeps."""
        return self.folder / "sweeps.csv"

    @property
    def causal_path(self):
        """Path of the record of the causal extension; its verdicts and its maps lie beside it."""
        return self.folder / "causal" / "causal.json"

    def weights_path(self, job):
        """Return the path of the learned arrays of a job."""
        return self.folder / "weights" / f"{job.dataset}.{job.model}.seed{job.seed}.npz"

    def metrics(self):
        """Return the stored metrics document."""
        return read_metrics(self.metrics_path)

    def weights(self, job):
        """Return the learned arrays of a job by name.

        Of a VAE with ``in_use``, the channels that are not switched off; with the ``refined`` latents where these were scored.
        """
        return read_npz(self.weights_path(job))

    def hashes(self):
        """Return the sha256 that each file of weights must have, by name."""
        return read_json(self.hashes_path)

    def index_table(self):
        """Return the table of the error at each index, as `index_rows` makes it.

        Raises
        ------
        ReplicationError
            If it is missing or a column is.
        """
        try:
            return pd.read_csv(self.index_path).set_index(INDEX_KEYS)[["bias", "spread"]]
        except (OSError, ValueError, KeyError) as error:
            raise ReplicationError(
                f"{self.index_path}: not readable ({error}). Restore it with git, or run `nox -s baseline`."
            ) from error

    def sweeps(self):
        """Return the numbers of the sweeps, as `replicate.study.sweeps.table` makes them."""
        try:
            return pd.read_csv(self.sweeps_path)[list(sweeps.COLUMNS)]
        except (OSError, ValueError, KeyError) as error:
            raise ReplicationError(
                f"{self.sweeps_path}: not readable ({error}). Restore it with git, or run `nox -s baseline`."
            ) from error

    def statements(self):
        """Return the statements of the causal extension's source, each with its verdict, as `replicate.causal.statements` judges them."""
        return read_json(self.causal_path.with_name("verdicts.json"))["statements"]

    def write_weights(self, runs):
        """Replace the stored weights by those of runs, a dict of Job to Run."""
        for job, run in runs.items():
            more = {"in_use": run.arrays["channel_kl"] != 0} if "channel_kl" in run.arrays else {}
            more |= {"refined": run.arrays["refined"]} if "refined" in run.arrays else {}
            write_npz(self.weights_path(job), **read_npz(run.folder / "weights.npz"), **more)
        paths = sorted(self.weights_path(job) for job in runs)
        write_json(self.hashes_path, {path.name: file_hash(path) for path in paths})
        for stale in set(self.hashes_path.parent.glob("*.npz")) - set(paths):
            stale.unlink()

    def write_index_table(self, runs):
        """Replace the table of the error at each index by that of runs, a dict of Job to Run."""
        table = pd.concat(
            [index_rows(job, run.arrays) for job, run in runs.items() if "index_bias" in run.arrays]
        )
        write_text(self.index_path, table.sort_index().to_csv(float_format="%.7g"))


def index_rows(job, arrays):
    """Return mean and standard deviation of the error at each index of the spectrum, z-scores, as a table of one row an index.

    Parameters
    ----------
    job : Job
    arrays : dict of str to ndarray
        With ``index_bias`` and ``index_spread``.
    """
    bias, spread = arrays["index_bias"], arrays["index_spread"]
    keys = {"dataset": job.dataset, "model": job.model, "seed": job.seed, "index": range(len(bias))}
    return pd.DataFrame({**keys, "bias": bias, "spread": spread}).set_index(INDEX_KEYS)
