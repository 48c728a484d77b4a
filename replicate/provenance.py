"""What data a number, a table or a picture is made from, and how that is said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

#: Every provenance but that of a user's own scan, and how a reader is told of it.
TEXTS = {
    "measured": "measured BEPS data",
    "simulated twin": "simulated twin",
    "formula": "toy spectra from the paper's formula",
    "painting": "the paper's painting",
    "sample photograph": "sample photograph",
}

#: What takes the place of data that cannot be had.
STAND_INS = ("simulated twin", "sample photograph")

#: The data that the paper speaks of.
PAPER_DATA = ("measured", "formula", "painting")

#: The provenance of a user's own scan begins so; twelve digits of the sha256 of its file follow.
OWN_SCAN = "own scan"


@dataclass(frozen=True)
class Sources:
    """Provenance of the scan and of the picture that a study runs on."""

    scan: str
    picture: str

    def of(self, job) -> dict[str, str]:
        """Return the provenance of the ``spectra`` of a job, and of any ``picture`` that it has."""
        if job.domain == "toy":
            return {"spectra": "formula", "picture": self.picture}
        return {"spectra": "simulated twin" if job.dataset == "twin" else self.scan}

    def __str__(self) -> str:
        return f"scan: {self.scan}, picture: {self.picture}"


def is_own_scan(provenance: str) -> bool:
    """Return whether a provenance is that of a user's own scan."""
    return provenance.startswith(OWN_SCAN)


def texts(provenances: Iterable[str]) -> dict[str, str]:
    """Return what a reader is told of each provenance, those of `TEXTS` first and in its order."""
    provenances = set(provenances)
    listed = [name for name in TEXTS if name in provenances]
    others = sorted(provenances - set(TEXTS))
    return {name: TEXTS.get(name, name) for name in (*listed, *others)}


def stamp_text(provenances: Iterable[str], profile: str, seed) -> str:
    """Return the stamp of a picture or table: its data, its profile and its seed or seeds."""
    data = [TEXTS.get(name, name) for name in provenances]
    return " · ".join([*data, f"{profile} profile", f"seed {seed}"])
