"""Large and hostile files: only what is needed is read, and no other file is opened."""

from __future__ import annotations

import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest
from scipy.io import savemat

import replicate
from replicate import cli
from replicate.data.user_scan import contents
from replicate.data.user_scan.scan_file import read_scan
from replicate.errors import ReplicationError

GIB = 1 << 30

READ = """
import resource, sys
from replicate.data.user_scan.scan_file import read_scan
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
scan = read_scan(sys.argv[1])
print(len(scan.spectra), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def read_in_process(path):
    """Return the number of spectra, and by how many MiB the process grew."""
    command = [sys.executable, "-c", READ, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    n, kib = map(int, done.stdout.split())
    return n, kib / 1024


def test_an_unused_member_of_an_archive_is_not_read(tmp_path, loops, volts):
    """Of 256 MiB of zeros, packed to 256 KiB."""
    path = tmp_path / "MY.npz"
    np.savez(path, piezoresponse=loops, voltages=volts)
    packed = zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED)
    with packed as archive, archive.open("notes.npy", "w", force_zip64=True) as member:
        header = {"descr": "|u1", "fortran_order": False, "shape": (GIB // 4,)}
        np.lib.format.write_array_header_1_0(member, header)
        for _ in range(16):
            member.write(bytes(1 << 24))
    n, grown = read_in_process(path)
    assert n == 42 and grown < 200


def test_an_unused_dataset_is_not_read(tmp_path, loops, volts):
    path = tmp_path / "MY.h5"
    with h5py.File(path, "w") as file:
        file.update({"piezoresponse": loops, "voltages": volts})
        file.create_dataset("notes", (2 * GIB,), np.uint8, chunks=(1 << 20,), fillvalue=7)
    assert path.stat().st_size < 100_000
    n, grown = read_in_process(path)
    assert n == 42 and grown < 200


@pytest.mark.parametrize("name", ["piezoresponse", "voltages"])
def test_a_needed_array_that_fills_the_memory_is_refused(tmp_path, loops, volts, name):
    path = tmp_path / "MY.h5"
    with h5py.File(path, "w") as file:
        file.update({"piezoresponse": loops, "voltages": volts})
        del file[name]
        file.create_dataset(name, (1 << 15, 1 << 15, 24), np.float64, chunks=(64, 64, 24))
    with pytest.raises(ReplicationError, match="MY.h5: .*192 GiB in memory, more than 4 GiB"):
        read_scan(path)


def test_the_limit_is_on_all_arrays_together(tmp_path, loops, volts, monkeypatch):
    path = tmp_path / "MY.npz"
    np.savez(path, piezoresponse=loops, voltages=volts)
    monkeypatch.setattr(contents, "LARGEST_BYTES", loops.nbytes + volts.nbytes)
    assert len(read_scan(path).spectra) == 42
    np.savez(path, piezoresponse=loops, other=loops + 1, voltages=volts)
    with pytest.raises(ReplicationError, match="piezoresponse, .*voltages"):
        read_scan(path)


@pytest.mark.parametrize("claimed", [(6, 7, 24 * 10**9), (2**62, 7, 24), (-6, 7, 24)])
def test_a_header_that_lies_is_refused(tmp_path, loops, volts, claimed):
    path = tmp_path / "MY.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("piezoresponse.npy", "w") as member:
            header = {"descr": "<f8", "fortran_order": False, "shape": claimed}
            np.lib.format.write_array_header_1_0(member, header)
            member.write(loops.tobytes())
        with archive.open("voltages.npy", "w") as member:
            np.lib.format.write_array(member, volts)
    with pytest.raises(ReplicationError, match="MY.npz"):
        read_scan(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300, -1e299])
@pytest.mark.parametrize("unit", [None, "V"])
def test_a_number_that_is_no_voltage_is_named_with_its_step(loops, volts, value, unit):
    volts[5] = value
    with pytest.raises(ReplicationError, match="at step 5 is NaN, infinite or no voltage"):
        replicate.read(loops, volts, voltage_unit=unit)


@pytest.mark.parametrize("shape", [[2**62, 7], [1e300, 7], [6, 7.5], [True, True], [42, 10**18]])
def test_a_shape_beyond_the_pixels_is_named(tmp_path, loops, volts, shape):
    np.savez(tmp_path / "MY.npz", piezoresponse=loops.reshape(42, -1), voltages=volts, shape=shape)
    with pytest.raises(ReplicationError, match="MY.npz: shape: .*two whole numbers"):
        read_scan(tmp_path / "MY.npz")


@pytest.mark.parametrize("kind", ["link", "external storage", "virtual"])
def test_clean_opens_no_other_file(tmp_path, capsys, kind):
    """Neither through a link of HDF5, nor through storage elsewhere."""
    voltage = np.concatenate([np.linspace(16, -16, 49), np.linspace(-16, 16, 49)[1:-1]])
    secret = np.full((96, 7, 6), 0.5)
    with h5py.File(tmp_path / "secret.h5", "w") as other:
        other["Loopdata_mixed"] = secret
    (tmp_path / "secret.bin").write_bytes(secret.tobytes())
    with h5py.File(tmp_path / "raw.mat", "w") as file:
        file["Voltagedata_mixed"] = voltage[:, np.newaxis]
        if kind == "link":
            file["Loopdata_mixed"] = h5py.ExternalLink("secret.h5", "Loopdata_mixed")
        elif kind == "virtual":
            layout = h5py.VirtualLayout(secret.shape, secret.dtype)
            layout[:] = h5py.VirtualSource(tmp_path / "secret.h5", "Loopdata_mixed", secret.shape)
            file.create_virtual_dataset("Loopdata_mixed", layout)
        else:
            outside = [(str(tmp_path / "secret.bin"), 0, secret.nbytes)]
            file.create_dataset("Loopdata_mixed", secret.shape, secret.dtype, external=outside)
    assert cli.main(["clean", str(tmp_path / "raw.mat"), str(tmp_path / "out.npz")]) == 2
    told = capsys.readouterr().err
    assert "raw.mat" in told and "Loopdata_mixed" in told
    assert kind == "link" or "in another file" in told
    assert not (tmp_path / "out.npz").exists()


def test_matlab_structs_of_a_large_file_are_bounded(tmp_path, loops, volts):
    """A packed variable that nothing needs is not unpacked."""
    path = tmp_path / "MY.mat"
    unused = np.zeros(28_000_000)
    savemat(path, {"piezoresponse": loops, "voltages": volts, "notes": unused}, do_compression=True)
    n, grown = read_in_process(path)
    assert n == 42 and grown < 200 < unused.nbytes / 2**20


def test_what_is_too_large_to_be_listed_is_refused_with_the_name_of_the_file(tmp_path, monkeypatch):
    def too_large(path):
        contents.refuse_large("scan", 5 << 30)

    path = tmp_path / "MY.npz"
    np.savez(path, a=np.arange(3.0))
    monkeypatch.setitem(contents.LISTS, ".npz", too_large)
    with pytest.raises(ReplicationError, match="MY.npz: cannot be read .*scan: 5 GiB in memory"):
        contents.list_items(path)
