"""Every documented command is a session here.

Each session has an environment of its own, installed from a hashed lock.
"""

import nox

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = True
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "tests"]

PYTHON = "3.11"  # the last that mxnet 1.9.1, through numpy 1.23.5, runs on
SOURCES = ("noxfile.py", "replicate", "figures", "benchmarks", "examples", "tests")


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
    """Fit, score and draw everything: `-- --profile smoke` for a trial of two minutes."""
    _python(session, "-m", "replicate", "run")


@nox.session(python=PYTHON)
def data(session):
    """Fetch and verify the data files: `-- --check` to verify them without a network."""
    _python(session, "-m", "replicate", "data")


@nox.session(python=PYTHON)
def figures(session):
    """Draw figures from stored runs: `-- fig4`, or all where none is named."""
    _python(session, "-m", "replicate", "figures")


@nox.session(python=PYTHON)
def movies(session):
    """Make the movies S1 to S6 from stored runs: `-- movie_s5`, or all where none is named."""
    _python(session, "-m", "figures.movies")


@nox.session(python=PYTHON)
def bench(session):
    """Run the benchmark, five seeds of everything: `-- --seeds 10` or `-- --dask ADDRESS`."""
    _python(session, "-m", "benchmarks.bench")


@nox.session(python=PYTHON)
def check(session):
    """Compare the metrics in results/standard with the stored ones, each by its rule."""
    _python(session, "-m", "benchmarks.check")


@nox.session(python=PYTHON)
def report(session):
    """Write results/standard/report.html: verdicts, figures and tables, which open offline."""
    _python(session, "-m", "benchmarks.report")


@nox.session(python=PYTHON)
def status(session):
    """List which runs are complete, failed, interrupted or missing."""
    _python(session, "-m", "replicate", "status")


@nox.session(python=PYTHON)
def carry(session):
    """Fit the models to two more films, and judge the claims there: `-- --seeds 5`, all folds."""
    _python(session, "-m", "benchmarks.carry")


@nox.session(python=PYTHON)
def attack(session):
    """Kill commands, start two at once, fill the disk: `-- --kills 30`; then compare the bits."""
    _python(session, "-m", "benchmarks.attack")


@nox.session(python=PYTHON)
def mutations(session):
    """Damage files of every format and read them: `-- --files 1600`; then count what came of it."""
    _python(session, "-m", "benchmarks.mutations")


@nox.session(python=PYTHON)
def causal(session):
    """Go beyond correlation: evidence, laws, graphs and confounders; then draw their figure."""
    _install(session, "requirements-causal.lock")
    session.run("python", "-m", "replicate.causal", *session.posargs)
    session.run("python", "-m", "figures.causal")


@nox.session(python=PYTHON)
def tests(session):
    """Run the tests, one process for each core: `-- -n0` for one process.

    The real data are used where REPLICATE_DATA or the cache has them.
    """
    _install(session, "requirements-causal.lock")
    # The tests of a file share what they fit, so they stay in one process. More than four
    # processes would mostly load MXNet.
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
    """Compute the stored metrics again from stored weights: `-- --family` for every model.

    It needs no training and no MXNet, and runs on any Python from 3.9 on.
    """
    session.install("--require-hashes", "-r", "requirements-core.lock")
    session.install("--no-deps", "-e", ".")
    session.run("python", "-m", "benchmarks.verify", *session.posargs)


@nox.session(python=PYTHON)
def portable(session):
    """Compare small models bit for bit between processors, emulated: `-- --cpu Haswell-noTSX`.

    It needs the emulator qemu-user, and is skipped where that is missing.
    """
    _python(session, "-m", "benchmarks.portable")


@nox.session(python=PYTHON)
def channels(session):
    """Train twenty seeds of six networks to the end of their ramps: `-- --seeds 5` for fewer."""
    _python(session, "-m", "benchmarks.channels")


@nox.session(python=PYTHON)
def splits(session):
    """Fit and score on other splits of the scan, two hours: `-- --only pca dense_ae` for fewer."""
    _python(session, "-m", "benchmarks.splits")


@nox.session(python=PYTHON)
def fullsize(session):
    """Train the paper's own network, an hour a data set: `-- --exact` for the paper's setting."""
    _python(session, "-m", "benchmarks.paper_network")


@nox.session(python=PYTHON)
def lock(session):
    """Write the locked requirements anew from pyproject.toml.

    Everything is locked for Python 3.11; the core, without MXNet, for 3.9 and later.
    """
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
            "--extra=train",
            "--extra=distributed",
            "--extra=movies",
            "--extra=test",
            "--extra=lint",
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
def packages(session):
    """List licence, releases and known vulnerabilities of every package of the lock."""
    _install(session)
    session.install("pip-audit")
    report = f"{session.create_tmp()}/audit.json"
    audit = ("pip-audit", "--requirement=requirements.lock", "--disable-pip", "--format=json")
    session.run(*audit, f"--output={report}", success_codes=[0, 1])
    session.run("python", "-m", "benchmarks.packages", report)


@nox.session(python=PYTHON)
def baseline(session):
    """Publish the numbers of results/standard: show the difference, ask, and rewrite every page."""
    _python(session, "-m", "benchmarks.baseline")
