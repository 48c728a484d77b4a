"""Every documented command is a session here; each has an environment of its own, installed from the hashed lock."""

import nox

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = True
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "tests"]

PYTHON = "3.11"  # the last that mxnet 1.9.1, through numpy 1.23.5, runs on
SOURCES = ("noxfile.py", "replicate", "figures", "benchmarks", "tests")


def _install(session, lock="requirements.lock"):
    """Install the locked packages, then this one without letting it move a pin."""
    session.install("--require-hashes", "-r", lock)
    session.install("--no-deps", "-e", ".")


def _python(session, *arguments):
    """Install, then run python with these arguments and those after ``--``."""
    _install(session)
    session.run("python", *arguments, *session.posargs)


@nox.session(python=PYTHON)
def replicate(session):
    """Fit, score and draw everything: the paper's figures and Table 1. Arguments go to `python -m replicate run`."""
    _python(session, "-m", "replicate", "run")


@nox.session(python=PYTHON)
def data(session):
    """Fetch and verify the data files; `-- --check` only verifies."""
    _python(session, "-m", "replicate", "data")


@nox.session(python=PYTHON)
def figures(session):
    """Draw figures from stored runs: `-- fig4 --profile standard`; all of them where none is named."""
    _python(session, "-m", "replicate", "figures")


@nox.session(python=PYTHON)
def movies(session):
    """Make movies S1 to S6 from stored runs, as GIF and MP4: `-- movie_s5`; all of them where none is named."""
    _python(session, "figures/movies.py")


@nox.session(python=PYTHON)
def bench(session):
    """Run the benchmark sweep, five seeds of everything: `-- --seeds 10 --only beps`; `-- --dask ADDRESS` spreads it over a cluster."""
    _python(session, "benchmarks/bench.py")


@nox.session(python=PYTHON)
def check(session):
    """Compare the metrics of results/standard with the stored ones, each by its rule."""
    _python(session, "benchmarks/check.py")


@nox.session(python=PYTHON)
def report(session):
    """Write results/standard/report.html: verdicts, ledger, figures, tables and provenance in one file that opens offline."""
    _python(session, "benchmarks/report.py")


@nox.session(python=PYTHON)
def status(session):
    """List which runs are complete, failed, interrupted or missing."""
    _python(session, "-m", "replicate", "status")


@nox.session(python=PYTHON)
def causal(session):
    """Go beyond correlation: evidence, laws, graphs, confounders; then their figure. Arguments go to `python -m replicate.causal`."""
    _install(session, "requirements-causal.lock")
    session.run("python", "-m", "replicate.causal", *session.posargs)
    session.run("python", "figures/causal.py")


@nox.session(python=PYTHON)
def tests(session):
    """Run the tests, a process a core; `-- -n0` in one. Real data are used where REPLICATE_DATA or the cache has them."""
    _install(session, "requirements-causal.lock")
    # A file's tests stay together, since they share what they fit; more than four processes would mostly load MXNet.
    session.run(
        "python",
        "-m",
        "pytest",
        "--numprocesses=logical",
        "--maxprocesses=4",
        "--dist=loadfile",
        *session.posargs,
    )


@nox.session(python=PYTHON)
def lint(session):
    """Check style and docstrings."""
    _install(session)
    session.run("ruff", "check", *SOURCES)
    session.run("ruff", "format", "--check", *SOURCES)


@nox.session
def verify(session):
    """Compute every stored metric again from stored weights; no training, no MXNet, any Python from 3.9 on."""
    session.install("--require-hashes", "-r", "requirements-core.lock")
    session.install("--no-deps", "-e", ".")
    session.run("python", "benchmarks/verify.py", *session.posargs)


@nox.session(python=PYTHON)
def lock(session):
    """Rewrite the locks from pyproject.toml, with hashes: everything on Python 3.11, and the core on 3.9 and later."""
    session.install("uv")
    compile_lock = (
        "uv",
        "pip",
        "compile",
        "pyproject.toml",
        "--generate-hashes",
        "--no-emit-index-url",
        "--no-emit-find-links",
        "--quiet",
    )
    locks = {
        "requirements.lock": (
            *(f"--extra={extra}" for extra in ("train", "distributed", "movies", "test", "lint")),
            "--python-version",
            PYTHON,
        ),
        "requirements-causal.lock": ("--all-extras", "--python-version", PYTHON),
        "requirements-core.lock": ("--universal", "--python-version", "3.9"),
    }
    for name, options in locks.items():
        session.run(
            *compile_lock,
            *options,
            "--output-file",
            name,
            env={"UV_CUSTOM_COMPILE_COMMAND": "nox -s lock"},
        )


@nox.session(python=PYTHON)
def baseline(session):
    """Take the numbers of results/standard into benchmarks/stored, the ledger and the README; shows the difference and asks."""
    _python(session, "benchmarks/baseline.py")
