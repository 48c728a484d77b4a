"""The studies: which models are fitted to which data, and what is drawn and tabulated of them.

There are three: the paper's, that of the whole family, and that of a user's own scan.
``python -m replicate run --dry-run`` prints the jobs of the paper's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from replicate import catalogue, own_model
from replicate.errors import ReplicationError
from replicate.files import read_json
from replicate.provenance import is_own_scan
from replicate.study import family
from replicate.study.family import MODELS
from replicate.study.job import DATASETS, ON_PICTURE, Job

#: The models that the paper compares, with PCA and the paper's plain form beside them. On the toy
#: problem `lstm_vae` is the plain form.
PAPER_MODELS = {
    "toy": ON_PICTURE,
    "toy_shuffled": ("pca", "dictionary_learning", "lstm_vae"),
    "beps": ("pca", "dictionary_learning", "lstm_vae_plain", "lstm_vae"),
    "beps_heldout": ("pca", "dictionary_learning", "lstm_vae_plain", "lstm_vae"),
}

#: In the paper's profile every network is of the plain form, so that there is one only.
PAPER_PROFILE_MODELS = {
    dataset: tuple(model for model in models if model != "lstm_vae_plain")
    for dataset, models in PAPER_MODELS.items()
}

#: What the paper leaves out: the whole family, and data sets that show what its members use.
FAMILY_MODELS = {
    "toy": tuple(model for model in MODELS if model != "lstm_vae_plain"),
    "toy_shuffled": ("pca", "dictionary_learning", "dense_vae", "lstm_vae"),
    "beps": (
        "pca",
        "dictionary_learning",
        "dense_vae",
        "lstm_vae_plain",
        "lstm_vae_paper",
        "lstm_vae",
    ),
    "beps_heldout": tuple(MODELS),
    "beps_shuffled": ("pca", "dictionary_learning", "dense_vae", "lstm_vae"),
    "twin": ("pca", "dictionary_learning", "dense_ae", "dense_vae", "lstm_vae"),
}

#: The models of a table of all of them: those that are fitted without being asked for.
TABULATED = tuple(model for model in MODELS if model not in family.ON_REQUEST)

#: Stands in the name of a metric, and in the title of a column, for each channel of a scan.
CHANNEL = "<channel>"


@dataclass(frozen=True)
class Study:
    """Which jobs are run, and which pictures and which table are made of them.

    Attributes
    ----------
    name : str
        As `replicate.catalogue` knows it.
    models : dict of str to tuple of str
        The models that are fitted to each data set.
    tabulated : tuple of str
        Models that have a row in the table, in its order.
    columns : dict of str to str
        Metric and title of each column; ``{}`` stands for the model, `CHANNEL` for each channel.
    seed_columns : dict of str to tuple of str
        Title of further columns, which count the seeds of each of some metrics.
    caption : str
        What the numbers of the table are.
    wider : Study, optional
        Where jobs are taken from that are asked for by name and that this study does not have.
    """

    name: str
    models: Mapping[str, tuple[str, ...]]
    tabulated: tuple[str, ...]
    columns: Mapping[str, str]
    caption: str
    seed_columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    wider: Study | None = None

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of the scripts that draw this study."""
        return catalogue.scripts_of(self.name)

    def jobs(
        self, profile: str, only: Sequence[str] = (), seeds: Iterable[int] = (0,)
    ) -> list[Job]:
        """List the jobs of a profile, seed by seed, and of each seed the longest first.

        Parameters
        ----------
        profile : str
        only : sequence of str
            Keep these data sets and models only; ``toy`` and ``beps`` stand for all of their forms.
        seeds : iterable of int

        Raises
        ------
        ReplicationError
            If a name is not a data set or a model, or nothing is left.
        """
        _check_names(only)
        models = self._models_of(profile, only)
        listed = _jobs(profile, models, seeds)
        wanted = [job for job in listed if job.is_wanted(only) and _is_affordable(job, only)]
        if not wanted:
            raise ReplicationError(
                f"--only {' '.join(only)}: the {self.name} study has no such run in the {profile} "
                f"profile. It has {', '.join(models)} and {', '.join(_models_in(models))}."
            )
        return wanted

    def every_job(self, profile: str, seeds: Iterable[int]) -> list[Job]:
        """List the jobs that results of a profile may have: also those that are run on request."""
        return _jobs(profile, self._models_of(profile, ()), seeds)

    def with_models(self, names: Iterable[str]) -> Study:
        """Return this study with more models, each of them fitted to all of its data sets."""
        names = tuple(names)
        models = {dataset: (*listed, *names) for dataset, listed in self.models.items()}
        wider = self.wider and self.wider.with_models(names)
        return replace(self, models=models, wider=wider)

    def _models_of(self, profile: str, only: Sequence[str]) -> dict[str, tuple[str, ...]]:
        if profile == "paper":
            return {
                dataset: models
                for dataset, models in PAPER_PROFILE_MODELS.items()
                if dataset in self.models
            }
        has_all = {*self.models, *_models_in(self.models)}.issuperset(only)
        return dict(self.models if has_all or self.wider is None else self.wider.models)


def _models_in(models: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return every model that is fitted to some data set, once."""
    return list(dict.fromkeys(model for listed in models.values() for model in listed))


def _jobs(profile: str, models: Mapping[str, tuple[str, ...]], seeds: Iterable[int]) -> list[Job]:
    """List the jobs of some models on each data set, seed by seed, each the longest first."""
    return [
        Job(profile, dataset, model, seed)
        for seed in dict.fromkeys(seeds)
        for model in _longest_first(models)
        for dataset in reversed(models)
        if model in models[dataset]
    ]


def _longest_first(models: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return every model, those first that take longest; nobody knows how long the user's take."""
    listed = _models_in(models)
    return [
        *own_model.own_among(listed),
        *(model for model in family.LONGEST_FIRST if model in listed),
    ]


def _is_affordable(job: Job, only: Sequence[str]) -> bool:
    """Return whether a job is one of minutes, or its model is asked for by name."""
    return job.model not in family.ON_REQUEST or job.model in only


def _check_names(only: Sequence[str]) -> None:
    names = (*DATASETS, *MODELS)
    unknown = [name for name in only if name not in names]
    if unknown:
        raise ReplicationError(
            f"--only {unknown[0]}: no such data set or model. There are {', '.join(names)}."
        )


FAMILY = Study(
    name=catalogue.FAMILY,
    models=FAMILY_MODELS,
    tabulated=TABULATED,
    columns={
        "toy.{}.gamut_mse": "toy gamut",
        "toy.{}.gamut_mse_refined": "toy, best code",
        "toy.{}.active_channels": "toy channels",
        "toy.{}.fit_seconds": "toy fit, s",
        "beps_heldout.{}.mse": "BEPS training",
        "beps_heldout.{}.heldout_mse": "BEPS held-out",
        "beps_heldout.{}.heldout_mse_refined": "BEPS held-out, best code",
        "beps_heldout.{}.active_channels": "BEPS channels",
        "beps_heldout.{}.n_parameters": "parameters",
        "beps_heldout.{}.fit_seconds": "BEPS fit, s",
    },
    seed_columns={"seeds, toy / BEPS": ("toy.{}.gamut_mse", "beps_heldout.{}.heldout_mse")},
    caption=(
        "Every model has 3 latents on the toy problem and 5 on BEPS. For a β-VAE these are its "
        "active channels: β rises until so many are left. With β fixed there is no such target, "
        "and the table counts the active ones of 16. Errors are mean squared errors in z-scores. "
        "BEPS training: the four folds that the model was fitted to. Best code: each spectrum is "
        "decoded from the best latents that the fitted decoder has for it, instead of the "
        "encoder's. Times are of training, with one thread."
    ),
)

PAPER = Study(
    name=catalogue.PAPER,
    models=PAPER_MODELS,
    tabulated=PAPER_MODELS["beps"],
    columns={
        "toy.{}.gamut_mse": "toy gamut",
        "toy.{}.painting_mse": "toy painting",
        "toy.{}.active_channels": "toy channels",
        "beps.{}.mse": "BEPS training",
        "beps.{}.mse_piezoresponse": "piezoresponse",
        "beps.{}.mse_resonance": "resonance",
        "beps.{}.active_channels": "BEPS channels",
        "beps_heldout.{}.heldout_mse": "BEPS held-out",
        "beps_heldout.{}.active_channels": "held-out channels",
        "beps.{}.n_parameters": "parameters",
        "beps.{}.fit_seconds": "fit, s",
        "beps.{}.transform_seconds": "encode, s",
    },
    caption=(
        "Errors are mean squared errors in z-scores. Toy gamut: random colours that the model was "
        "not fitted to. Toy painting: every pixel of the picture. BEPS training: the pixels that "
        "the model was fitted to, then each of their two channels alone. BEPS held-out: blocks of "
        "pixels that the model was not fitted to. Parameters and times are those of the fit to "
        "all pixels, with one thread."
    ),
    wider=FAMILY,
)

#: A user's own scan takes the place of the measured one: every model on folds of it, and the
#: models of the family's study on all of it.
OWN_SCAN = Study(
    name=catalogue.OWN_SCAN,
    models={dataset: FAMILY_MODELS[dataset] for dataset in ("beps", "beps_heldout")},
    tabulated=TABULATED,
    columns={
        "beps.{}.mse": "fitted to",
        "beps_heldout.{}.heldout_mse": "held-out",
        f"beps_heldout.{{}}.heldout_mse_{CHANNEL}": CHANNEL,
        "beps_heldout.{}.heldout_mse_refined": "held-out, best code",
        "beps_heldout.{}.shoulder_auc": "shoulder AUC",
        "beps_heldout.{}.active_channels": "active channels",
        "beps_heldout.{}.n_parameters": "parameters",
        "beps_heldout.{}.fit_seconds": "fit, s",
        "beps_heldout.{}.transform_seconds": "encode, s",
    },
    caption=(
        "Errors are mean squared errors in z-scores. Fitted to: all pixels, by models fitted to "
        "all of them. Held-out: blocks of pixels that the model was not fitted to. Best code: "
        "each spectrum is decoded from the best latents that the fitted decoder has for it. "
        "Shoulder AUC: how well the quarter of the held-out pixels with the greatest shoulder can "
        "be told from the others by their reconstructions; 1 is always, 0.5 is not at all. "
        "Parameters and times are those of the fit to all pixels, with one thread."
    ),
)


#: What of a stored configuration is read again.
CONFIG_SCHEMA = {
    "type": "object",
    "properties": {
        "provenance": {"type": "object", "properties": {"spectra": {"type": "string"}}},
        "parameters": {"type": "object"},
    },
}


def study_on(provenances: Iterable[str]) -> Study:
    """Return the study that data of these provenances belong to.

    It is that of a user's own scan if one of them is such a scan, and the paper's otherwise.
    """
    return OWN_SCAN if any(is_own_scan(name) for name in provenances) else PAPER


def study_in(folder: Path) -> Study:
    """Return the study whose runs lie in the results folder of a profile.

    It is the paper's if there are no runs.
    """
    config = next(Path(folder).glob("beps*/*/seed*/config.json"), None)
    provenance = None if config is None else provenance_in(config)
    return PAPER if provenance is None else study_on([provenance])


def provenance_in(config: Path) -> str | None:
    """Return the provenance of the spectra in a stored configuration; None where it has none."""
    return read_json(config, CONFIG_SCHEMA).get("provenance", {}).get("spectra")


def own_models_in(folder: Path) -> list[str]:
    """Return the models of the user's own that have runs in the results folder of a profile."""
    return own_model.own_among(path.name for path in Path(folder).glob(f"*/{own_model.PREFIX}*"))
