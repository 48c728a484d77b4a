"""One arithmetic on every x86-64 processor with AVX2, so that a run has the same bits everywhere.

OpenBLAS, oneDNN and NumPy look at the processor when they are loaded, and choose code by what they
find; another order of summation then gives other last digits, and after a training other numbers.
Environment variables hold them to the code for AVX2, and every thread pool to one thread.
docs/same-bits.md says what was tried and measured.

The variables are read when a library is loaded: `pin` must be called before NumPy is imported.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path

#: The variable by which a process and its children are told which arithmetic to use.
VARIABLE = "REPLICATE_ARITHMETIC"

#: The same code on every processor, or what each library chooses for this one.
PINNED, NATIVE = "pinned", "native"

#: One thread in every pool: how sums are split depends on their number.
THREADS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MXNET_CPU_WORKER_NTHREADS": "1",
}

#: OpenBLAS' kernels for AVX2, in NumPy, SciPy and MXNet alike, and oneDNN's in MXNet.
KERNELS = {"OPENBLAS_CORETYPE": "HASWELL", "DNNL_MAX_CPU_ISA": "AVX2"}

#: The variable by which NumPy is kept from code for AVX-512, which has other last digits in exp,
#: log, sin, cos and others.
NUMPY_VARIABLE = "NPY_DISABLE_CPU_FEATURES"

#: NumPy's names of its code for AVX-512, and the flags of a processor that can run it.
NUMPY_FEATURES = {
    "AVX512F": ("avx512f",),
    "AVX512CD": ("avx512cd",),
    "AVX512_KNL": ("avx512er", "avx512pf"),
    "AVX512_KNM": ("avx512_4fmaps", "avx512_4vnniw"),
    "AVX512_SKX": ("avx512vl", "avx512bw", "avx512dq"),
    "AVX512_CLX": ("avx512_vnni",),
    "AVX512_CNL": ("avx512ifma", "avx512vbmi"),
    "AVX512_ICL": ("avx512_vbmi2", "avx512_bitalg", "avx512_vpopcntdq"),
}

#: The names since NumPy 2.4.
NEW_NUMPY_FEATURES = {
    "X86_V4": NUMPY_FEATURES["AVX512_SKX"],
    "AVX512_ICL": (*NUMPY_FEATURES["AVX512_ICL"], "gfni", "vaes", "vpclmulqdq"),
    "AVX512_SPR": ("avx512_fp16",),
}

#: What a user loses who opts out.
NATIVE_NOTE = (
    "native arithmetic: the libraries choose code for this processor, so that numbers differ from "
    "the published ones in their last digits, and trained networks differ visibly"
)

#: What a user is told whose processor cannot run the pinned arithmetic.
NO_AVX2_NOTE = (
    "this processor has no AVX2, which the pinned arithmetic needs. Going on with native "
    "arithmetic: numbers differ from the published ones in their last digits, and trained networks "
    "differ visibly"
)

#: What the user had set before this module set anything.
_BEFORE = {name: os.environ.get(name) for name in (*KERNELS, NUMPY_VARIABLE)}

# Whether NumPy was loaded before the environment was set, so that this process is not pinned.
_is_late = False


def requested() -> str:
    """Return the arithmetic that this process was asked for: `PINNED`, if nobody said otherwise."""
    return os.environ.get(VARIABLE, PINNED)


def chosen() -> str:
    """Return the arithmetic that runs of this process have: `PINNED` or `NATIVE`."""
    return PINNED if requested() == PINNED and has_avx2() else NATIVE


def described() -> str:
    """Return the arithmetic for records and keys of runs; a native one names the processor."""
    return PINNED if chosen() == PINNED else f"{NATIVE}, {processor()}"


def pin() -> None:
    """Set the environment of this process, and of those it starts, to the arithmetic chosen."""
    for variable, value in environment().items():
        _set(variable, value)


def choose(name: str) -> None:
    """Use the arithmetic of this name in the processes that this one starts.

    `restart_if_late` makes this process use it as well.
    """
    os.environ[VARIABLE] = name
    if name == NATIVE:
        for variable, value in _BEFORE.items():
            _set(variable, value)
    pin()


def _set(variable, value):
    """Set a variable of the environment, or remove it where the value is None."""
    global _is_late
    if os.environ.get(variable) == value:
        return
    _is_late = _is_late or "numpy" in sys.modules
    if value is None:
        del os.environ[variable]
    else:
        os.environ[variable] = value


def restart_if_late() -> None:
    """Start this process anew with its environment set, where NumPy was loaded before it was.

    A script that is run by its path imports NumPy before it can call `pin`.
    """
    if _is_late:
        # Python before 3.10 does not keep its options; none of them matters here.
        arguments = getattr(sys, "orig_argv", [sys.executable, *sys.argv])
        os.execve(sys.executable, [sys.executable, *arguments[1:]], os.environ)


def note() -> str | None:
    """Return what a user is to be told of the arithmetic; None where it is pinned, as expected."""
    if chosen() == PINNED:
        return None
    return NATIVE_NOTE if requested() == NATIVE else NO_AVX2_NOTE


def environment() -> dict[str, str]:
    """Return the variables of a process that computes, by the arithmetic chosen."""
    if chosen() == NATIVE:
        return {VARIABLE: NATIVE, **THREADS}
    return {VARIABLE: PINNED, **THREADS, **KERNELS, NUMPY_VARIABLE: " ".join(numpy_features())}


def numpy_features(flags: frozenset[str] | None = None, version: str | None = None) -> list[str]:
    """Return NumPy's names of the code for AVX-512 that it would run here.

    NumPy warns of a name that it or the processor does not know.

    Parameters
    ----------
    flags : frozenset of str, optional
        Flags of the processor; by default of this one.
    version : str, optional
        Version of NumPy; by default of the one installed.
    """
    flags = processor_flags() if flags is None else flags
    import importlib.metadata  # it takes a while, in which Ctrl-C would show a traceback

    major, minor = (version or importlib.metadata.version("numpy")).split(".")[:2]
    is_new = (int(major), int(minor)) >= (2, 4)
    features = NEW_NUMPY_FEATURES if is_new else NUMPY_FEATURES
    return [name for name, needed in features.items() if flags.issuperset(needed)]


def has_avx2() -> bool:
    """Return whether this processor has AVX2 and FMA, or is x86-64 if it does not say."""
    flags = processor_flags()
    if flags:
        return flags.issuperset(("avx2", "fma"))
    return platform.machine().lower() in ("x86_64", "amd64")


def processor_flags() -> frozenset[str]:
    """Return the flags of this processor; none where the system does not list them."""
    return frozenset(_cpuinfo().get("flags", "").split())


def processor() -> str:
    """Return the name of this processor."""
    return _cpuinfo().get("model name", platform.processor())


def _cpuinfo() -> Mapping[str, str]:
    """Return the fields of the first processor that Linux lists."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return {}
    fields = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in fields}
