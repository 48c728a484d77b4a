"""What data a number, a table or a picture is made from, and how that is said."""

from __future__ import annotations

PROVENANCE = {
    "measured": "measured BEPS data",
    "simulated twin": "simulated twin",
    "formula": "toy spectra from the paper's formula",
    "painting": "the paper's painting",
    "sample photograph": "sample photograph",
}
STAND_INS = ("simulated twin", "sample photograph")
OF_PAPER = tuple(name for name in PROVENANCE if name not in STAND_INS)
OWN_SCAN = "own scan"
"""How the provenance of such a scan begins; the first digits of the sha256 of its file follow."""


def is_own(provenance):
    """Tell whether a provenance is that of a scan of the user's own."""
    return provenance.startswith(OWN_SCAN)


def provenance_texts(provenances):
    """Say of each provenance what it is, a dict of str in the order of `PROVENANCE`; a scan of the user's own is called as it is."""
    known = [name for name in PROVENANCE if name in provenances]
    return {
        name: PROVENANCE.get(name, name)
        for name in (*known, *sorted(set(provenances) - set(known)))
    }


def stamp_text(provenances, profile, seed):
    """Say what data, which profile and which seed something is made from."""
    return " · ".join(
        [
            *(PROVENANCE.get(name, name) for name in provenances),
            f"{profile} profile",
            f"seed {seed}",
        ]
    )
