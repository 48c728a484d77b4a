"""How a scan of the user's own is read: the choices that a file leaves open."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields

#: The units that the voltages of a file may be said to have, and their size in V.
VOLTAGE_UNITS = {"V": 1.0, "mV": 1e-3}


#: The choices as JSON has them.
SCHEMA = {
    "type": "object",
    "properties": {
        "dataset": {"type": "string"},
        "field": {"enum": ["in", "off"]},
        "cycle": {"type": "integer"},
        "repeat": {"type": "integer"},
        "voltage_unit": {"enum": list(VOLTAGE_UNITS)},
        "blank_outliers": {"type": "boolean"},
        "voltages": {"type": "array", "items": {"type": "number"}},
        "voltages_file": {"type": "string"},
    },
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Reading:
    """The choices of a user about a file.

    Attributes
    ----------
    dataset : str or None
        The array of the loops, or the group that holds the arrays, by its path in the file.
    field : {"in", "off"} or None
        Which loops of a USID file are taken: those measured while the voltage is on, or after it
        is switched off.
    cycle : int or None
        Which cycle of the voltage is taken, counted from 1; None for the last.
    repeat : int or None
        Which of the steps beside each other at one voltage is taken, counted from 1; None for
        their mean.
    voltage_unit : {"V", "mV"} or None
        The unit of the voltages; None for that of the file.
    blank_outliers : bool
        Leave out pixels that have a value that cannot be a measurement.
    voltages : tuple of float or None
        The voltage of each step, where the file does not have it.
    voltages_file : str or None
        The file that `voltages` are read from.
    """

    dataset: str | None = None
    field: str | None = None
    cycle: int | None = None
    repeat: int | None = None
    voltage_unit: str | None = None
    blank_outliers: bool = False
    voltages: tuple[float, ...] | None = None
    voltages_file: str | None = None

    def chosen(self) -> dict:
        """Return every choice that is not the default, as JSON has it."""
        return {
            each.name: getattr(self, each.name)
            for each in fields(self)
            if getattr(self, each.name) != each.default
        }

    @classmethod
    def of(cls, chosen: dict) -> Reading:
        """Return the choices that `chosen` gave."""
        if "voltages" in chosen:
            chosen = chosen | {"voltages": tuple(chosen["voltages"])}
        return cls(**chosen)

    def arguments(self) -> list[str]:
        """Return the options of the command line that make these choices."""
        arguments = []
        for name, value in self.chosen().items():
            if name == "voltages":
                continue
            option = "--" + name.replace("_file", "").replace("_", "-")
            arguments += [option] if value is True else [option, str(value)]
        return arguments

    def digits(self, sha256: str) -> str:
        """Return twelve digits that name a file of a hash that is read in this way.

        They are the first of the hash itself, if every choice is the default.
        """
        chosen = self.chosen()
        chosen.pop("voltages_file", None)
        if not chosen:
            return sha256[:12]
        text = json.dumps([sha256, chosen], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
