"""A run folder: what was asked and what came out.

While a run goes on, the folder also holds what it takes to go on after an interruption.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from replicate import seals, temporary
from replicate.errors import ReplicationError
from replicate.files import check_schema, file_hash, read_json, read_npz, write_json, write_text
from replicate.running import scan_results
from replicate.study.job import Job

#: What every record has.
RECORD_SCHEMA = {
    "type": "object",
    "properties": {
        "key": {"type": "string"},
        "status": {"enum": ["complete", "failed"]},
        "metrics": {"type": "object", "additionalProperties": {"type": "number"}},
        "files": {"type": "object", "additionalProperties": {"type": "string"}},
        "provenance": {"type": "object", "additionalProperties": {"type": "string"}},
        "error": {"type": "string"},
    },
}

#: The files of a run that is complete, beside its record and its snapshots.
CONTENT = ("config.json", "weights.npz", "arrays.npz", "history.csv")


@dataclass(frozen=True)
class Run:
    """The files of one run; nothing is read until it is asked for.

    The record holds the hash of every file of a complete run, and a seal: its own hash. So a file
    that is missing or is another one, and a record that was edited, are noticed.
    """

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
        """How far it is: ``complete``, ``damaged``, ``failed``, ``interrupted`` or ``missing``.

        An interrupted run has a checkpoint. A damaged one is run again.
        """
        if (self.folder / "record.json").exists():
            return "damaged" if self.damage else self.record["status"]
        return "interrupted" if self.checkpoint.exists() else "missing"

    @property
    def damage(self) -> str | None:
        """What is wrong with the files of a run that has ended; None where nothing is."""
        path = self.folder / "record.json"
        if not path.exists():
            return None
        try:
            record = self.record
        except ReplicationError as error:
            return str(error)
        if not seals.is_intact(record):
            return f"{path}: is not as the run wrote it"
        for name, sha256 in record.get("files", {}).items():
            path = self.folder / name
            if not path.is_file():
                return f"{path}: is missing"
            if _hash_of(path) != sha256:
                return f"{path}: is not as the run wrote it"
        return None

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
        check_schema(path, record, RECORD_SCHEMA)
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

        What a run of another configuration wrote there is removed. Of the same one, the record is
        removed, and a checkpoint stays. Files that no run writes stay.

        Raises
        ------
        ReplicationError
            If the folder cannot be cleared.
        """
        is_same = _stored_key(self.folder / "config.json") == key(config)
        stale = [] if is_same else [*self._content(), self.checkpoint]
        try:
            for folder in (self.folder, self.snapshot(0).parent):
                temporary.sweep(folder)
            for path in (self.folder / "record.json", *stale):
                if path.exists():
                    path.unlink()
        except OSError as error:
            raise ReplicationError(
                f"{self.folder}: cannot be cleared ({error.strerror}). "
                "Make it writable, or remove it."
            ) from error
        if not is_same:
            write_json(self.folder / "config.json", config)

    def _content(self) -> Iterator[Path]:
        """Yield the files of the run that are there, without record and checkpoint."""
        paths = [self.folder / name for name in CONTENT]
        yield from (path for path in [*paths, *self.snapshots] if path.is_file())

    def write_history(self, rows: Sequence[dict]) -> None:
        """Write the training history, one row an epoch."""
        stream = io.StringIO()
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(self.folder / "history.csv", stream.getvalue())

    def finish(self, config: dict, record: dict) -> None:
        """Write the record, the last file of a run, and remove the checkpoint of a complete run."""
        files = {
            path.relative_to(self.folder).as_posix(): file_hash(path) for path in self._content()
        }
        document = {"key": key(config), "files": files, **record}
        seals.write(self.folder / "record.json", document)
        if record["status"] == "complete":
            self.checkpoint.unlink(missing_ok=True)


def key(config: dict) -> str:
    """Return the key of a configuration: 16 hexadecimal digits of its hash."""
    return seals.hash_of(config)[:16]


def _hash_of(path):
    """Return the sha256 of a file, which is computed once as long as the file stays as it is."""
    state = path.stat()
    return _hash_of_state(path, state.st_mtime_ns, state.st_size, state.st_ino)


@cache
def _hash_of_state(path, *_):
    return file_hash(path)


def _stored_key(path):
    """Return the key of a stored configuration; None where it cannot be read."""
    try:
        return key(read_json(path))
    except ReplicationError:
        return None


def ended(folder: Path) -> list[Run]:
    """Return the runs of a profile's folder that have a record, without those of sweeps."""
    return [Run(path.parent) for path in sorted(Path(folder).glob("*/*/seed*/record.json"))]


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
            f"{run.folder}: no complete run here ({run.damage or run.status}). "
            f"{scan_results.advice(results, profile, (dataset, model), seed)}"
        )
    return run
