import numpy as np

from replicate import pipeline
from replicate.comparisons import against_dictionary
from replicate.files import write_npz
from replicate.runs import Run
from replicate.study import Job


def test_share_of_pixels_below_dictionary_learning():
    errors = {
        "dictionary_learning": np.array([1.0, 2.0, 3.0, 4.0]),
        "pca": np.array([0.5, 2.5, 2.5, 4.0]),
        "lstm_vae": np.zeros(4),
    }
    assert against_dictionary(errors) == {"pca": {"share_below_dictionary": 0.5}, "lstm_vae": {"share_below_dictionary": 1.0}}


def test_nothing_to_compare_with():
    assert against_dictionary({"pca": np.zeros(3)}) == {}


def test_models_are_compared_seed_by_seed_and_on_the_scan_alone(tmp_path):
    """Dictionary learning of seed 1 has errors ten times those of seed 0."""
    jobs = [Job("smoke", data, model, seed) for data in ("beps", "toy") for model in ("pca", "dictionary_learning") for seed in (0, 1)]
    for job in jobs:
        errors = np.array([1.0, 3.0]) if job.model == "pca" else np.array([2.0, 2.0]) * 10**job.seed
        write_npz(Run.of(tmp_path, job).folder / "arrays.npz", mse=errors)
    records = [{"metrics": {}} for _ in jobs]
    pipeline._compare_models(jobs, records, tmp_path)
    found = {str(job): record["metrics"].get("share_below_dictionary") for job, record in zip(jobs, records)}
    assert found.pop("beps/pca/seed0") == 0.5 and found.pop("beps/pca/seed1") == 1.0
    assert set(found.values()) == {None}
