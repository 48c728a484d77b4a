"""One arithmetic on every processor: what is set, when, and what the libraries then do."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from replicate import arithmetic

ZEN4 = frozenset(
    {
        *("avx2", "fma", "avx512f", "avx512cd", "avx512vl", "avx512bw", "avx512dq"),
        *("avx512_vnni", "avx512ifma", "avx512vbmi"),
        *("avx512_vbmi2", "avx512_bitalg", "avx512_vpopcntdq", "gfni", "vaes", "vpclmulqdq"),
    }
)
HASWELL = frozenset({"avx2", "fma"})

needs_avx2 = pytest.mark.skipif(not arithmetic.has_avx2(), reason="this processor has no AVX2")


def child(code, **environment):
    """Run code in a process of its own, in an environment without any pin, and read its JSON."""
    pinned = (arithmetic.VARIABLE, *arithmetic.KERNELS, arithmetic.NUMPY_VARIABLE)
    plain = {name: value for name, value in os.environ.items() if name not in pinned}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=plain | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


LOADED = """
import json
from replicate import arithmetic
arithmetic.pin()
import numpy, scipy.linalg, threadpoolctl
from numpy.core._multiarray_umath import __cpu_features__
pools = [pool for pool in threadpoolctl.threadpool_info() if pool["internal_api"] == "openblas"]
print(json.dumps({
    "kernels": sorted({pool["architecture"] for pool in pools}),
    "threads": sorted({pool["num_threads"] for pool in pools}),
    "avx512": [name for name, on in __cpu_features__.items() if on and name.startswith("AVX512_")],
    "described": arithmetic.described(),
}))
"""


@needs_avx2
def test_libraries_loaded_after_the_pin_run_one_kernel_on_one_thread():
    loaded = child(LOADED)
    assert loaded["kernels"] == ["Haswell"] and loaded["threads"] == [1]
    assert loaded["avx512"] == [] and loaded["described"] == "pinned"


def test_native_arithmetic_leaves_the_kernels_alone_and_names_the_processor():
    loaded = child(LOADED, REPLICATE_ARITHMETIC="native")
    assert loaded["threads"] == [1]
    assert loaded["described"] == f"native, {arithmetic.processor()}"


def test_a_kernel_of_the_user_s_own_is_used_natively_only():
    code = """
import json, os
from replicate import arithmetic
arithmetic.pin()
pinned = os.environ["OPENBLAS_CORETYPE"]
arithmetic.choose("native")
print(json.dumps([pinned, os.environ.get("OPENBLAS_CORETYPE"), arithmetic.environment()]))
"""
    pinned, native, environment = child(code, OPENBLAS_CORETYPE="Sandybridge")
    assert (pinned, native) == ("HASWELL", "Sandybridge")
    assert "OPENBLAS_CORETYPE" not in environment and environment["OMP_NUM_THREADS"] == "1"


@needs_avx2
def test_a_script_that_has_loaded_numpy_already_starts_anew(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import numpy, os, sys\n"
        "from replicate import arithmetic\n"
        "arithmetic.pin()\n"
        "print('start', *sys.argv[1:])\n"
        "sys.stdout.flush()\n"
        "arithmetic.restart_if_late()\n"
        "print('runs with', os.environ['OPENBLAS_CORETYPE'])\n"
    )
    plain = {name: value for name, value in os.environ.items() if name != "OPENBLAS_CORETYPE"}
    done = subprocess.run(
        [sys.executable, script, "--seed", "3"], env=plain, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == [
        "start --seed 3",
        "start --seed 3",
        "runs with HASWELL",
    ]


@pytest.mark.parametrize(
    ("flags", "version", "features"),
    [
        (HASWELL, "1.23.5", []),
        (HASWELL, "2.4.6", []),
        (
            ZEN4,
            "1.23.5",
            ["AVX512F", "AVX512CD", "AVX512_SKX", "AVX512_CLX", "AVX512_CNL", "AVX512_ICL"],
        ),
        (ZEN4, "2.4.0", ["X86_V4", "AVX512_ICL"]),
        (ZEN4 | {"avx512_fp16"}, "2.5.5", ["X86_V4", "AVX512_ICL", "AVX512_SPR"]),
    ],
)
def test_numpy_is_told_only_of_what_it_and_the_processor_have(flags, version, features):
    """It warns of any other name, and a warning is an error where the user says so."""
    assert arithmetic.numpy_features(flags, version) == features


def test_numpy_does_not_warn_of_the_names():
    code = LOADED.replace(
        "import numpy,", "import warnings; warnings.simplefilter('error')\nimport numpy,", 1
    )
    assert child(code)["described"] == arithmetic.described()


def test_a_processor_without_avx2_goes_on_natively_and_is_told(monkeypatch):
    monkeypatch.setattr(arithmetic, "processor_flags", lambda: frozenset({"sse2", "avx"}))
    assert arithmetic.chosen() == "native" and "no AVX2" in arithmetic.note()
    assert arithmetic.described().startswith("native")
    assert not set(arithmetic.KERNELS) & set(arithmetic.environment())


def test_nothing_is_said_of_the_pinned_arithmetic(monkeypatch):
    monkeypatch.setattr(arithmetic, "processor_flags", lambda: ZEN4)
    assert arithmetic.note() is None and arithmetic.described() == "pinned"
    monkeypatch.setenv(arithmetic.VARIABLE, "native")
    assert "last digits" in arithmetic.note()
