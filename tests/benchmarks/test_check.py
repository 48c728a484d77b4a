"""The regression check: the rule of a metric catches each planted fault, and nothing else."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmarks import check
from benchmarks.baseline import of_the_study
from benchmarks.store import Store, jobs_with_weights
from replicate import seals
from replicate.files import write_json, write_npz
from replicate.numbers.kinds import KINDS
from replicate.numbers.metrics import SCHEMA_VERSION, summarise, write_metrics
from replicate.running.runs import Run

N_SEEDS = 5
MACHINE = {
    "system": "Linux-6.1.0-x86_64-with-glibc2.36",
    "processor": "AMD EPYC",
    "cores": 2,
    "memory_gib": 23.5,
    "arithmetic": "pinned",
}
NATIVE = MACHINE | {"arithmetic": "native, AMD EPYC"}
VERSIONS = {
    "python": "3.11.7",
    "numpy": "1.23.5",
    "mxnet": "1.9.1",
    "scikit-learn": "1.7.2",
    "pillow": "13.0.0",
}
ERRORS = {"lstm_vae": 0.010, "pca": 0.011, "dictionary_learning": 0.015}
MSE, GAMUT, SHAPE = "beps.lstm_vae.mse", "toy.pca.gamut_mse", "beps.pca.shape_median"
PLAIN = "beps.lstm_vae_plain.mse"
HELDOUT = "beps_heldout.lstm_vae.heldout_mse"
LATENTS = "beps.lstm_vae.shoulder_latents"
COUNT, SECONDS, BETA = (
    "beps.pca.n_parameters",
    "beps.pca.fit_seconds",
    "beps.lstm_vae.selected_beta",
)


def document(n_seeds=N_SEEDS, profile="standard", machine=MACHINE, versions=VERSIONS):
    """A document whose networks vary from seed to seed, and whose PCA does not."""
    records = []
    for seed in range(n_seeds):
        for model, error in ERRORS.items():
            wobble = 0 if model == "pca" else 1e-4 * seed
            common = {"n_parameters": 1152, "fit_seconds": 2.0 + seed, "shape_median": 0.9}
            common |= {"selected_beta": 0.2 + wobble} if model == "lstm_vae" else {}
            for dataset, kind in (
                ("toy", "gamut_mse"),
                ("beps", "mse"),
                ("beps_heldout", "heldout_mse"),
            ):
                provenance = {"spectra": "formula" if dataset == "toy" else "measured"}
                metrics = common | {kind: error + wobble}
                records.append(
                    {
                        "dataset": dataset,
                        "model": model,
                        "seed": seed,
                        "provenance": provenance,
                        "metrics": metrics,
                    }
                )
    whole = {
        "schema_version": SCHEMA_VERSION,
        "profile": profile,
        "git_commit": "0" * 40,
        "machine": machine,
        "versions": versions,
    }
    return whole | {"metrics": summarise(records)}


def planted(name, **fields):
    """The document with fields of one metric replaced."""
    changed = copy.deepcopy(document())
    changed["metrics"][name] |= fields
    return changed


def scaled(name, factor, seeds=range(N_SEEDS)):
    """The document with one metric multiplied at some seeds."""
    values = document()["metrics"][name]["values"]
    return planted(
        name,
        values=[value * factor if seed in seeds else value for seed, value in enumerate(values)],
    )


def elsewhere(metrics_of):
    """The metrics of a document, as if they were made with the arithmetic of another processor."""
    return metrics_of | {"machine": MACHINE | {"arithmetic": "native, Intel Xeon"}}


def with_values(name, values, seeds=None):
    """The document with a metric of a network of these values added."""
    new = document()
    new["metrics"][name] = new["metrics"][MSE] | {
        "value": float(np.mean(values)),
        "values": list(values),
        "seeds": list(range(len(values)) if seeds is None else seeds),
    }
    return new


def bad(new, stored=None):
    """Name, verdict and detail of every check that is not passed."""
    checks = check.check(stored or document(), new)
    assert checks
    return [(one.name, one.verdict, one.detail) for one in checks if one.verdict != check.OK]


def only(new, stored=None):
    """Name, verdict and detail of the one check that is not passed."""
    (found,) = bad(new, stored)
    return found


# With the arithmetic and packages of the stored metrics


def test_every_gated_metric_and_every_order_is_checked_once():
    names = [one.name for one in check.check(document(), document())]
    gated = {name for name in document()["metrics"] if not name.endswith("_seconds")}
    assert len(names) == len(set(names)) == len(gated) + len(check.ORDERS)
    assert gated < set(names)


@given(st.data())
def test_a_document_agrees_with_itself(data):
    n_seeds = data.draw(st.integers(1, 7))
    values = st.lists(st.floats(-1e6, 1e6), min_size=n_seeds, max_size=n_seeds)
    same = document(n_seeds)
    for kind in KINDS:
        same["metrics"][f"toy_shuffled.lstm_vae.{kind}"] = same["metrics"][MSE] | {
            "values": data.draw(values)
        }
    assert not bad(same, same)
    assert not bad(elsewhere(same), same)


@pytest.mark.parametrize("off", [-1, 1])
def test_a_count_off_by_one_at_one_seed(off):
    values = document()["metrics"][COUNT]["values"]
    name, verdict, detail = only(planted(COUNT, values=[*values[:-1], values[-1] + off]))
    assert (name, verdict) == (COUNT, check.FAILED)
    assert f"1 of 5 seeds, most at seed 4: stored 1152, new {1152 + off}" in detail


@pytest.mark.parametrize(
    ("name", "factor", "change"),
    [
        (MSE, 1.01, "worse"),
        (MSE, 0.99, "better"),
        (SHAPE, 1.01, "better"),
        (SHAPE, 0.99, "worse"),
        (BETA, 1.01, "higher"),
    ],
)
def test_one_seed_off_by_one_percent(name, factor, change):
    found, verdict, detail = only(scaled(name, factor, seeds=[3]))
    assert (found, verdict) == (name, check.FAILED)
    assert "apart at seed 3: stored" in detail
    assert f"differs: {change} by 1 %; if meant, `nox -s baseline`" in detail


def test_another_order_of_summation_is_forgiven_and_no_more():
    assert not bad(scaled(GAMUT, 1.0009))
    assert only(scaled(GAMUT, 1.0011))[0] == GAMUT


def test_zero_but_for_rounding():
    """A linear decoder has a nonlinearity of rounding, of which 0.1 % means nothing."""
    name = "beps.pca.decoder_nonlinearity"
    stored, rounded, nonlinear = document(), document(), document()
    for one, value in ((stored, 2e-8), (rounded, 3e-7), (nonlinear, 1e-4)):
        one["metrics"][name] = one["metrics"][SHAPE] | {"values": [value] * N_SEEDS}
    assert not bad(rounded, stored) and not bad(elsewhere(rounded), stored)
    assert only(nonlinear, stored)[0] == only(elsewhere(nonlinear), stored)[0] == name


def test_another_provenance_whatever_the_values():
    name, verdict, detail = only(planted(MSE, provenance="simulated twin"))
    assert (name, verdict) == (MSE, check.FAILED)
    assert (
        "simulated twin" in detail
        and "measured" in detail
        and "nox -s bench -- --data measured" in detail
    )


def test_another_profile_is_all_that_is_said():
    name, verdict, detail = only(document(profile="smoke"))
    assert (name, verdict) == ("profile", check.FAILED)
    assert "stored standard, new smoke" in detail


@pytest.mark.parametrize("name", [COUNT, SHAPE, SECONDS])
def test_a_metric_that_was_not_measured_again(name):
    new = document()
    del new["metrics"][name]
    assert only(new)[:2] == (name, check.FAILED)
    assert not bad(document(), new), "a new one is no failure"


@pytest.mark.parametrize("name", [COUNT, SHAPE])
def test_no_common_seed(name):
    found, verdict, detail = only(planted(name, seeds=[5, 6, 7, 8, 9]))
    assert (found, verdict) == (name, check.FAILED)
    assert "no common seed: stored [0, 1, 2, 3, 4], new [5, 6, 7, 8, 9]" in detail


def test_fewer_new_seeds_are_enough_and_are_counted():
    checks = check.check(document(), document(n_seeds=2))
    assert {one.verdict for one in checks} == {check.OK}
    compared = [one.detail for one in checks if one.group in ("exact", "value")]
    assert compared and all("for 2 seeds" in detail for detail in compared)


def test_seeds_are_paired_by_number_not_by_position():
    entry = document()["metrics"][MSE]
    assert not bad(planted(MSE, seeds=entry["seeds"][::-1], values=entry["values"][::-1]))
    assert only(planted(MSE, values=entry["values"][::-1]))[0] == MSE


# Order


@pytest.mark.parametrize(
    ("n_seeds", "n_reversed", "holds"),
    [(1, 1, False), (2, 1, False), (3, 1, True), (3, 2, False), (5, 1, True), (5, 2, False)],
)
def test_an_order_reversed_at_some_seeds(n_seeds, n_reversed, holds):
    new = document(n_seeds)
    for name in ("toy.lstm_vae.gamut_mse", GAMUT):
        new["metrics"][name]["values"][:n_reversed] = [0.0105] * n_reversed  # a tie is no better
    found = bad(new, new)
    assert [name for name, _, _ in found] == (
        [] if holds else [f"toy.lstm_vae.gamut_mse < {GAMUT}"]
    )
    assert holds or f"in {n_seeds - n_reversed} of {n_seeds} seeds" in found[0][2]


def test_an_order_of_what_was_not_measured():
    new = document()
    del new["metrics"][MSE]
    assert [name for name, _, _ in bad(new, new)] == [f"{MSE} < beps.pca.mse"]


# With another arithmetic, or other packages


@pytest.mark.parametrize(
    "change",
    [{"machine": NATIVE}]
    + [
        {"versions": VERSIONS | {name: "9.9"}}
        for name in ("python", "numpy", "mxnet", "scikit-learn")
    ],
    ids=str,
)
def test_another_arithmetic_or_package_falls_back_on_the_interval(change):
    assert not bad(scaled(MSE, 1.02) | change)
    assert only(scaled(MSE, 1.02))[0] == MSE
    name, verdict, detail = only(scaled(MSE, 0.8) | change)
    assert (name, verdict) == (MSE, check.FAILED)
    assert "means more than" in detail and "differs: better by 20 %" in detail


@pytest.mark.parametrize(
    "change",
    [
        {"machine": MACHINE | {"processor": "Intel Xeon"}},
        {"machine": MACHINE | {"system": "Linux-7.0.1-x86_64-with-glibc2.41", "cores": 64}},
        {"versions": VERSIONS | {"pillow": "9.9"}},
    ],
    ids=str,
)
def test_pinned_arithmetic_is_the_same_on_another_machine(change):
    assert only(scaled(MSE, 1.02) | change)[0] == MSE


def test_native_arithmetic_is_never_taken_for_the_same():
    native = document(machine=NATIVE)
    assert check.conditions(native) == check.conditions(document(machine=NATIVE))
    assert not check.have_same_bits(native, native)
    assert not bad(scaled(MSE, 1.02) | {"machine": NATIVE}, native)


def test_metrics_that_do_not_say_their_arithmetic_are_native():
    silent = {name: value for name, value in MACHINE.items() if name != "arithmetic"}
    assert check.conditions(document(machine=silent))["arithmetic"] == "native"
    assert not check.have_same_bits(document(machine=silent), document(machine=silent))


SPREADS = [
    ([0.0090, 0.0110, 0.0095, 0.0105, 0.0100], range(5)),
    ([0.0090, 0.0110, 0.0095, 0.0105, 0.0130], range(3)),
    ([0.0100] * 5, range(5)),
    ([0.0100, 0.0100, 0.0100, 0.0100, 0.01001], [2]),  # an interval of less than the floor of 1 %
    ([0.0090, 0.0110, 0.0100], [1]),
]


@pytest.mark.parametrize(("stored_values", "new_seeds"), SPREADS)
@pytest.mark.parametrize("share", [0.99, 1.01, -0.99, -1.01])
def test_the_interval_with_another_arithmetic(rng, stored_values, new_seeds, share):
    n_new, deviation = len(new_seeds), np.std(stored_values, ddof=1)
    interval = 0.0
    if deviation > 0:
        scale = deviation * np.sqrt(1 / n_new + 1 / n_new)
        interval = stats.t.interval(0.9998, len(stored_values) - 1, scale=scale)[1]
    before = np.array(stored_values)[list(new_seeds)]
    allowed = max(interval, 0.01 * before.mean())
    around = rng.normal(0, 5e-4, n_new)
    new_values = before + around - around.mean() + share * allowed
    stored, new = with_values(PLAIN, stored_values), with_values(PLAIN, new_values, new_seeds)
    expected = [PLAIN] if abs(share) > 1 else []
    assert [name for name, _, _ in bad(elsewhere(new), stored)] == expected


@pytest.mark.parametrize(("factor", "names"), [(1.5, [MSE]), (0.5, [MSE]), (1.02, [])])
def test_one_new_seed_is_judged(factor, names):
    new = elsewhere(document(n_seeds=1))
    new["metrics"][MSE]["values"][0] *= factor
    checks = check.check(document(), new)
    assert {one.verdict for one in checks} <= {check.OK, check.FAILED}
    assert {one.name for one in checks} == {one.name for one in check.check(document(), document())}
    failed = [one.name for one in checks if one.verdict == check.FAILED and one.group == "value"]
    assert failed == names


@pytest.mark.parametrize("n_stored", [1, 2])
def test_stored_seeds_that_tell_no_noise_leave_the_floor(n_stored):
    stored = with_values(PLAIN, [0.01] * n_stored)
    assert not bad(elsewhere(with_values(PLAIN, [0.01009] * n_stored)), stored)
    assert only(elsewhere(with_values(PLAIN, [0.01011] * n_stored)), stored)[0] == PLAIN


@pytest.mark.parametrize(
    ("factor", "names"), [(1.0019, []), (1.0021, [GAMUT]), (0.9981, []), (0.9979, [GAMUT])]
)
def test_an_error_of_a_linear_model_may_differ_by_two_thousandths(factor, names):
    assert [name for name, _, _ in bad(elsewhere(scaled(GAMUT, factor)))] == names


def test_noise_on_folds_is_that_of_fits_to_the_whole_scan():
    """Folds differ by half; fits to the scan by a percent, which is what an error scatters by."""
    folds = np.array([0.010, 0.020, 0.015, 0.012, 0.018])
    stored = with_values(HELDOUT, folds)
    whole = stored["metrics"][MSE]
    scale = np.std(whole["values"], ddof=1) * folds.mean() / whole["value"] * np.sqrt(2 / 5)
    allowed = stats.t.interval(0.9998, 4, scale=scale)[1]
    # The order of the models asks for the errors of PCA and dictionary learning to be greater.
    for model, factor in (("pca", 3), ("dictionary_learning", 4)):
        entry = stored["metrics"][f"beps_heldout.{model}.heldout_mse"]
        entry["values"] = [factor * 0.01] * 5
    for share, names in ((0.99, []), (1.01, [HELDOUT]), (-1.01, [HELDOUT])):
        new = copy.deepcopy(stored)
        new["metrics"][HELDOUT]["values"] = list(folds + share * allowed)
        assert [name for name, _, _ in bad(elsewhere(new), stored)] == names


def test_latents_with_a_shoulder_are_compared_as_a_value():
    """Whether a shoulder comes or goes hangs on a limit, so that two may come or go elsewhere."""
    stored, two, three = (with_values(LATENTS, [count] * 5) for count in (2, 4, 5))
    (group,) = {one.group for one in check.check(stored, two) if one.name == LATENTS}
    assert group == "value"
    assert only(two, stored)[0] == LATENTS
    assert not bad(elsewhere(two), stored)
    assert only(elsewhere(three), stored)[0] == LATENTS


def test_counts_are_exact_with_every_arithmetic():
    assert only(elsewhere(planted(COUNT, values=[1152] * 4 + [1153])))[:2] == (COUNT, check.FAILED)


def test_another_provenance_with_another_arithmetic():
    name, verdict, _ = only(elsewhere(planted(MSE, provenance="simulated twin")))
    assert (name, verdict) == (MSE, check.FAILED)


# The command


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Check a new document against a stored one as files; exit code, output and errors."""

    def call(new, stored=None, profile="standard"):
        store = Store(tmp_path / "stored")
        monkeypatch.setattr(check, "Store", lambda: store)
        write_metrics(store.metrics_path, stored or document())
        if new is not None:
            write_metrics(tmp_path / profile / "metrics.json", new)
        code = check.main(["--results", str(tmp_path), "--profile", profile])
        return code, *capsys.readouterr()

    return call


def test_the_same_is_checked(run):
    code, output, _ = run(document())
    assert code == 0
    assert " 0 failed. CHECKED.\n" in output
    assert "each seed within 0.1 %" in output
    assert "prediction interval" not in output


def test_differences_are_named_in_the_verdict(run):
    code, output, _ = run(scaled(SHAPE, 1.01))
    assert code == 1
    assert f" 1 failed. NOT THE SAME: {SHAPE}\n" in output
    assert [line.split()[1] for line in output.splitlines() if line.startswith("FAILED")] == [SHAPE]


def test_another_arithmetic_is_said(run):
    code, output, _ = run(elsewhere(document(1)))
    assert code == 0
    assert " 0 failed. CHECKED.\n" in output
    assert "99.98 % prediction interval of the stored seeds, or 1 % (0.2 % for a linear" in output
    assert "arithmetic pinned" in output and "arithmetic native, Intel Xeon" in output


def test_time_is_shown_and_never_a_gate(run):
    """The document has 2 to 6 seconds, with median 4; one slow seed would draw the mean."""
    values = document()["metrics"][SECONDS]["values"]
    code, output, _ = run(planted(SECONDS, values=[10 * value for value in values[:-1]] + [1e6]))
    (row,) = [line.split() for line in output.splitlines() if line.startswith(SECONDS)]
    assert (code, row) == (0, [SECONDS, "4", "40", "10.00", "s"])


def test_new_metrics_are_noted(run):
    new = document()
    new["metrics"]["beps.pca.mse_worst"] = new["metrics"][MSE]
    code, output, _ = run(new)
    assert code == 0
    assert "Not stored, and so not compared: beps.pca.mse_worst." in output


def test_another_profile_fails_without_a_comparison(run):
    code, output, _ = run(document(profile="smoke"), profile="smoke")
    assert code == 1
    assert output.endswith("NOT THE SAME: profile\n")
    assert SECONDS not in output


@pytest.fixture
def weights(tmp_path):
    """Store the same weights for every job of the document, and return a writer of runs."""
    store = Store(tmp_path / "stored")
    jobs = jobs_with_weights(document())
    array = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    for job in jobs:
        write_npz(store.weights_path(job), components=array, in_use=np.ones(3, bool))

    def write(job, factor=1.0, status="complete"):
        run = Run.of(tmp_path, job)
        write_npz(run.folder / "weights.npz", components=array * np.float32(factor))
        write_json(run.folder / "record.json", seals.sealed({"status": status, "key": ""}))

    return jobs, write


def test_runs_with_the_bits_of_the_stored_weights_are_counted(run, weights):
    jobs, write = weights
    assert len(jobs) == len(ERRORS) * N_SEEDS
    for job in jobs[:3]:
        write(job)
    write(jobs[3], factor=1 + 1e-7)
    write(jobs[4], factor=2, status="failed")
    code, output, _ = run(document())
    assert code == 0, "other bits are said, and the numbers decide"
    last = f"Weights: the same bits as stored in 3 of 4 runs; others in {jobs[3]}\n"
    assert output.endswith(last)


def test_all_bits_the_same(run, weights):
    jobs, write = weights
    write(jobs[0])
    assert run(document())[1].endswith("\nWeights: the same bits as stored in 1 of 1 runs\n")


def test_weights_are_stored_for_the_standard_profile_only(run):
    _, output, _ = run(document(profile="smoke"), document(profile="smoke"), profile="smoke")
    assert "Weights" not in output


def test_no_results_yet(run, tmp_path):
    code, output, error = run(None)
    assert (code, output) == (2, "")
    assert (
        error.startswith(f"error: {tmp_path / 'standard' / 'metrics.json'}")
        and "nox -s replicate" in error
    )


def test_another_schema_version(run, tmp_path):
    write_metrics(tmp_path / "standard" / "metrics.json", document())
    path = tmp_path / "standard" / "metrics.json"
    path.write_text(
        path.read_text().replace(f'"schema_version": {SCHEMA_VERSION}', '"schema_version": 1')
    )
    code, _, error = run(None)
    assert code == 2
    assert "metrics.json" in error and "schema_version" in error


def test_the_family_need_not_be_run_but_what_is_run_of_it_must_be_whole():
    """`nox -s replicate` makes the paper's study alone."""
    stored = document()
    for model in ("ica", "dense_ae"):
        for kind in ("heldout_mse", "mse"):
            stored["metrics"][f"beps_heldout.{model}.{kind}"] = copy.deepcopy(
                stored["metrics"]["beps_heldout.pca.heldout_mse"]
            )
    new = copy.deepcopy(stored)
    for name in [name for name in new["metrics"] if ".ica." in name] + [
        "beps_heldout.dense_ae.mse"
    ]:
        del new["metrics"][name]
    assert [one.name for one in check.check(stored, new) if one.group == "missing"] == [
        "beps_heldout.dense_ae.mse"
    ]


def test_what_follows_from_other_runs_may_be_absent():
    stored, new = document(), document()
    stored["metrics"]["beps_heldout.pca.sensitivity"] = copy.deepcopy(
        stored["metrics"]["beps_heldout.pca.heldout_mse"]
    )
    assert not [one for one in check.check(stored, new) if one.group == "missing"]


# Models of the user's own


def with_own(factor=1.0, seeds=(0, 1)):
    """A document with a model of the user's own, whose PCA has the stored error times `factor`."""
    new = document(n_seeds=2)
    pca = new["metrics"]["beps_heldout.pca.heldout_mse"]
    own = pca | {"seeds": list(seeds), "values": [0.01 for _ in seeds], "value": 0.01}
    pca |= {"values": [factor * value for value in pca["values"]]}
    new["metrics"]["beps_heldout.own_Mine_1a2b3c4d.heldout_mse"] = own
    return new


@pytest.mark.parametrize(
    ("factor", "seeds", "standing"),
    [
        (1.0, (0, 1), "comparable with what is published"),
        (1.01, (0, 1), "NOT COMPARABLE"),
        (1.0, (0, 2), "PCA was not run with seed 2"),
    ],
)
def test_a_model_of_ones_own_stands_beside_the_reference_point(capsys, factor, seeds, standing):
    check.report(document(), with_own(factor, seeds))
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "Mine" in line]
    assert line.startswith("Mine (own, 1a2b)") and "0.0100; PCA" in line and standing in line


def test_a_model_of_ones_own_is_never_to_be_stored(capsys):
    check.report(document(), with_own())
    assert "`nox -s baseline` stores them" not in capsys.readouterr().out
    assert of_the_study(with_own()) == document(n_seeds=2)
