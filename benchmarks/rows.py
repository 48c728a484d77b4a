"""bench.jsonl: one row a run of the benchmark sweep, on disk the moment the run ends.

Rows are only ever added. Those of other code, data or packages stay and differ by their key. Of
several rows with one key, the last counts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from replicate.errors import ReplicationError
from replicate.files import check_schema, parse_json
from replicate.running.runs import Run, key
from replicate.study.job import Job

#: Fields that a row takes from the record of its run.
RECORDED = (
    "metrics",
    "seconds",
    "machine",
    "thread_pools",
    "versions",
    "git_commit",
    "data_sha256",
    "provenance",
)


#: What a row may have; which of these it must have depends on who reads it.
SCHEMA = {
    "type": "object",
    "properties": {
        "key": {"type": "string"},
        "dataset": {"type": "string"},
        "model": {"type": "string"},
        "seed": {"type": "integer"},
        "status": {"enum": ["complete", "failed"]},
        "metrics": {"type": "object", "additionalProperties": {"type": "number"}},
        "error": {"type": "string"},
        "beta": {"type": "number"},
        "active_channels": {"type": "integer"},
        "epochs": {"type": "integer"},
        "how": {"type": "string"},
    },
}


def repair(path: Path) -> None:
    """Mend the last line of a file of rows after a kill in the middle of a write.

    A torn line is cut off. A whole line that only lacks its end gets it.
    """
    if not path.exists():
        return
    with path.open("r+b") as stream:
        content = stream.read()
        end = content.rfind(b"\n") + 1
        if not content[end:]:
            return
        if _is_json(content[end:]):
            stream.write(b"\n")
        else:
            stream.truncate(end)


def _is_json(line):
    try:
        parse_json(line.decode("utf-8"))
    except ValueError:
        return False
    return True


def read(path: Path, needed: Sequence[str] = ("key", "status", "metrics")) -> list[dict]:
    """Return every row, the oldest first; no rows where there is no file yet.

    A last line that a kill has torn is left out.

    Parameters
    ----------
    path : Path
    needed : sequence of str
        The fields that every row has.

    Raises
    ------
    ReplicationError
        If another line is not a row.
    """
    if not path.exists():
        return []
    lines = path.read_bytes().splitlines(keepends=True)
    if lines and not lines[-1].endswith(b"\n") and not _is_json(lines[-1]):
        lines.pop()
    return [_parse(path, number, line, needed) for number, line in enumerate(lines, start=1)]


def _parse(path, number, line, needed):
    try:
        row = parse_json(line.decode("utf-8"))
    except ValueError as error:
        raise ReplicationError(
            f"{path}, line {number}: not a row of the sweep ({error}). "
            "Delete the line; the run itself is kept."
        ) from error
    check_schema(
        f"{path}, line {number}: not a row of the sweep", row, SCHEMA | {"required": list(needed)}
    )
    return row


def row(job: Job, config: dict, run: Run, error: str | None) -> dict:
    """Return the row of a run that has ended.

    Parameters
    ----------
    job : Job
    config : dict
        As `execute.configuration` returns it.
    run : Run
    error : str or None
        What went wrong with a failed run. A run that broke off without a record has no
        measurements.
    """
    path = run.folder / "record.json"
    if path.exists() and run.record["key"] == key(config):
        record = run.record
        ended = datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
    else:
        record = {"metrics": {}}
        ended = datetime.now(timezone.utc)
    columns = {
        "dataset": job.dataset,
        "model": job.model,
        "seed": job.seed,
        "profile": job.profile,
        "status": "failed" if error else "complete",
    }
    if error:
        columns["error"] = error
    columns["key"] = key(config)
    for name in RECORDED:
        columns[name] = record.get(name)
    columns["finished"] = ended.isoformat(timespec="seconds")
    return columns


def append(path: Path, row: dict) -> None:
    """Add a row to a file of rows, and wait until it is on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(row, allow_nan=False) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
