"""bench.jsonl: one row a run of the benchmark sweep, on disk the moment the run ends.

Rows are only ever added. Those of other code, data or packages stay, told apart by their key; of one key, the last row counts.
"""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone

from replicate.errors import ReplicationError
from replicate.running.runs import key

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


def repair(path):
    """Cut off a last line that a kill in mid-write has torn; a whole one that only lacks its end is ended."""
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
        json.loads(line)
    except ValueError:
        return False
    return True


def read(path):
    """Return every row, the oldest first, without a last one that a kill has torn; none where there is no file yet.

    Raises
    ------
    ReplicationError
        If another line is not a row.
    """
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    if lines and not lines[-1].endswith(b"\n") and not _is_json(lines[-1]):
        lines.pop()
    return [_parse(path, number, line) for number, line in enumerate(lines, start=1)]


def _parse(path, number, line):
    try:
        row = json.loads(line)
        row["key"], row["status"], row["metrics"]
    except (ValueError, KeyError, TypeError) as error:
        raise ReplicationError(
            f"{path}, line {number}: not a row of the sweep ({error}). Delete the line; the run itself is kept."
        ) from error
    return row


def row(job, config, run, error):
    """Return the row of a run that has ended.

    Parameters
    ----------
    job : Job
    config : dict
        As `execute.configuration` returns it.
    run : Run
    error : str or None
        What went wrong, of a failed run. One that broke off without a record has no measurements.

    Returns
    -------
    dict
    """
    path = run.folder / "record.json"
    record = run.record if path.exists() and run.record["key"] == key(config) else {"metrics": {}}
    ended = (
        datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
        if "key" in record
        else datetime.now(timezone.utc)
    )
    status = {"status": "failed", "error": error} if error else {"status": "complete"}
    return {
        **{"dataset": job.dataset, "model": job.model, "seed": job.seed, "profile": job.profile},
        **status,
        "key": key(config),
        **{name: record.get(name) for name in RECORDED},
        "finished": ended.isoformat(timespec="seconds"),
    }


def append(path, row):
    """Add a row and wait until it is on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(row, allow_nan=False) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
