"""The README's table of held-out errors: three models, and the best of all."""

from __future__ import annotations

from typing import NamedTuple

from replicate.study.family import COMPONENTS, LABELS


class Column(NamedTuple):
    """A column of the README's table: held-out errors on one data set.

    Attributes
    ----------
    title : str
    dataset, kind : str
        The data set and the kind of the error, as in the name of a metric.
    n_latents : int
        The latents that every model has there, for a beta-VAE its active channels.
    """

    title: str
    dataset: str
    kind: str
    n_latents: int

    def entry(self, metrics, model):
        """Return the entry of a model's error, or None where it was not measured."""
        return metrics.get(f"{self.dataset}.{model}.{self.kind}")

    def n_seeds(self, metrics):
        """Return how many seeds, on the scan folds, the errors are the mean of."""
        entry = self.entry(metrics, "pca")
        return len(entry["seeds"]) if entry else 0

    def with_more_latents(self, metrics):
        """List the models that have more active channels than the others have latents."""
        entries = {
            model: metrics.get(f"{self.dataset}.{model}.active_channels") for model in LABELS
        }
        return [
            model for model, entry in entries.items() if entry and entry["value"] > self.n_latents
        ]

    def best(self, metrics):
        """Return the model of the least error among those without more latents, or None."""
        left_out = self.with_more_latents(metrics)
        errors = {
            model: self.entry(metrics, model)["value"]
            for model in LABELS
            if model not in left_out and self.entry(metrics, model)
        }
        return min(errors, key=errors.get, default=None)


TOY = Column("toy, fresh colours", "toy", "gamut_mse", COMPONENTS["toy"])
SCAN = Column("BEPS, blocks left out", "beps_heldout", "heldout_mse", COMPONENTS["beps"])
MODELS = ("pca", "dictionary_learning", "lstm_vae")


def render(metrics):
    """Return the table as Markdown, and under it what its numbers are.

    Parameters
    ----------
    metrics : dict of str to dict
        The ``metrics`` of metrics.json.
    """
    lines = [f"| held-out error | {TOY.title} | {SCAN.title} |", "| --- | ---: | ---: |"]
    for model in MODELS:
        errors = [_error(column.entry(metrics, model)) for column in (TOY, SCAN)]
        lines.append(f"| {LABELS[model]} | {' | '.join(errors)} |")
    best = [_best(column, metrics) for column in (TOY, SCAN)]
    lines.append(f"| Best model of all | {' | '.join(best)} |")
    return "\n".join([*lines, "", _caption(metrics)])


def _best(column, metrics):
    """Return the least error of a column, and the model that has it, as text."""
    model = column.best(metrics)
    if model is None:
        return "–"
    return f"{_error(column.entry(metrics, model))} ({LABELS[model]})"


def _error(entry):
    """Return an error, a mean over seeds, with half the width of its 95 % interval, as text."""
    if entry is None:
        return "–"
    if entry["interval"] is None:
        return f"{entry['value']:.4f}"
    low, high = entry["interval"]
    return f"{entry['value']:.4f} ± {(high - low) / 2:.4f}"


def _caption(metrics):
    """Say what the numbers are, of how many seeds, and which models cannot be the best."""
    wide = {*TOY.with_more_latents(metrics), *SCAN.with_more_latents(metrics)}
    left_out = ", ".join(label for model, label in LABELS.items() if model in wide)
    latents = f"Every model uses {TOY.n_latents} latents (toy) or {SCAN.n_latents} (BEPS)"
    return (
        "Mean squared errors in z-scores, on spectra that no model was fitted to: means over "
        f"{_counted(TOY.n_seeds(metrics), 'seed')} (toy) and "
        f"{_counted(SCAN.n_seeds(metrics), 'fold')} (BEPS),\n"
        "± half the width of the 95 % t-interval; on BEPS that is mostly how much harder one fold "
        "is than another, and says little about a\n"
        f"difference of two models. {latents}"
        + (f";\nleft out, because it uses more: {left_out}." if wide else ".")
    )


def _counted(number, noun):
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
