"""A run folder: what was asked and what came out.

While a run goes on, the folder also holds what it takes to go on after an interruption.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from replicate.errors import ReplicationError
from replicate.files import read_json, read_npz, write_json, write_text
from replicate.running import scan_results
from replicate.study.job import Job


@dataclass(frozen=True)
class Run:
    """The files of one run; nothing is read until it is asked for."""

    folder: Path

    @classmethod
    def of(cls, results: Path, job: Job) -> Run:
        """Return the run of a job in a results folder."""
        return cls(Path(results) / job.profile / str(job))

    @property
    def checkpoint(self) -> Path:
        """Path of the training in progress."""
        return self.folder / "checkpoint.npz"

    def snapshot(self, epoch: int) -> Path:
        """Return the path of the weights after an epoch of the ramp."""
        return self.folder / "ramp" / f"epoch{epoch:05d}.npz"

    @property
    def snapshots(self) -> list[Path]:
        """Paths of the weights kept while beta rose, in order; none for most runs."""
        return sorted(self.snapshot(0).parent.glob("epoch*.npz"))

    @property
    def status(self) -> str:
        """How far the run is: ``complete``, ``failed``, ``interrupted`` or ``missing``.

        An interrupted run has a checkpoint.
        """
        if (self.folder / "record.json").exists():
            return self.record["status"]
        return "interrupted" if self.checkpoint.exists() else "missing"

    @property
    def record(self) -> dict:
        """What was measured: status, metrics, seconds, memory, machine.

        It is read anew each time, for another process may write it.

        Raises
        ------
        ReplicationError
            If it cannot be read, or its status or key is missing.
        """
        path = self.folder / "record.json"
        record = read_json(path)
        if not isinstance(record, dict) or not {"status", "key"} <= record.keys():
            raise ReplicationError(
                f"{path}: status or key is missing. Delete the file and run again."
            )
        return record

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """Latents, errors and reconstructions by name."""
        return read_npz(self.folder / "arrays.npz")

    @cached_property
    def history(self) -> list[dict[str, str]]:
        """What was measured in each epoch; empty for a model that has no epochs."""
        path = self.folder / "history.csv"
        if not path.exists():
            return []
        lines = io.StringIO(path.read_text(encoding="utf-8"))
        return list(csv.DictReader(lines))

    def is_complete(self, config: dict) -> bool:
        """Return whether this run finished with just this configuration."""
        return self.status == "complete" and self.record["key"] == key(config)

    def prepare(self, config: dict) -> None:
        """Make the folder ready for a run of a configuration.

        What another configuration left there is removed. Of the same one, the record of a failure
        is removed, and a checkpoint stays.

        Raises
        ------
        ReplicationError
            If the folder cannot be cleared.
        """
        stored = self.folder / "config.json"
        try:
            if stored.exists() and _stored_key(stored) == key(config):
                (self.folder / "record.json").unlink(missing_ok=True)
                return
            if self.folder.exists():
                shutil.rmtree(self.folder)
        except OSError as error:
            raise ReplicationError(
                f"{self.folder}: cannot be cleared ({error.strerror}). "
                "Make it writable, or remove it."
            ) from error
        write_json(stored, config)

    def write_history(self, rows: Sequence[dict]) -> None:
        """Write the training history, one row an epoch."""
        stream = io.StringIO()
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(self.folder / "history.csv", stream.getvalue())

    def finish(self, config: dict, record: dict) -> None:
        """Write the record, the last file of a run, and remove the checkpoint of a complete run."""
        write_json(self.folder / "record.json", {"key": key(config), **record})
        if record["status"] == "complete":
            self.checkpoint.unlink(missing_ok=True)


def key(config: dict) -> str:
    """Return the key of a configuration: 16 hexadecimal digits of its hash."""
    text = json.dumps(config, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _stored_key(path):
    """Return the key of a stored configuration; None where it cannot be read."""
    try:
        return key(read_json(path))
    except ReplicationError:
        return None


def load(results: Path, profile: str, dataset: str, model: str, seed: int = 0) -> Run:
    """Return a complete run.

    Raises
    ------
    ReplicationError
        If there is none.
    """
    job = Job(profile, dataset, model, seed)
    run = Run.of(results, job)
    if run.status != "complete":
        raise ReplicationError(
            f"{run.folder}: no complete run here ({run.status}). "
            f"{scan_results.advice(results, profile, (dataset, model), seed)}"
        )
    return run
