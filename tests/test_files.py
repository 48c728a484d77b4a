"""Whole files or none.

Interrupted writes, damaged files of every kind, and hashes known from elsewhere.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from replicate import files
from replicate.errors import ReplicationError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# Writing


def test_a_file_appears_whole(tmp_path):
    path = tmp_path / "new" / "folder" / "file.txt"
    with files.atomic_path(path) as temporary:
        assert temporary.parent == path.parent
        assert temporary.suffix == ".txt"
        temporary.write_text("half")
        assert not path.exists()
        temporary.write_text("whole")
    assert path.read_text() == "whole"
    assert names(path.parent) == ["file.txt"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_failed_write_leaves_nothing(tmp_path, error):
    with pytest.raises(error), files.atomic_path(tmp_path / "file.txt") as temporary:
        temporary.write_text("half")
        raise error
    assert names(tmp_path) == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failed_write_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(error), files.atomic_path(path) as temporary:
        temporary.write_text("half")
        assert path.read_text() == "old"
        raise error
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


def test_who_reads_the_old_file_reads_it_to_its_end(tmp_path):
    """The new file takes its place; it is not written over it."""
    path = tmp_path / "file.txt"
    files.write_text(path, "old" * 10_000)
    with path.open() as stream:
        assert stream.read(3) == "old"
        files.write_text(path, "new")
        assert stream.read() == "old" * 9_999
    assert path.read_text() == "new"


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_files_are_as_private_as_the_user_wants(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        files.write_text(tmp_path / "file.txt", "shared")
    finally:
        assert os.umask(before) == mask
    assert stat.S_IMODE((tmp_path / "file.txt").stat().st_mode) == mode


@pytest.mark.parametrize(
    "write",
    [
        lambda path: files.write_text(path, "text"),
        lambda path: files.write_json(path, {}),
        lambda path: files.write_npz(path, x=np.zeros(3)),
    ],
    ids=["text", "json", "npz"],
)
def test_a_folder_that_cannot_be_made(tmp_path, write):
    """A file is where the folder should be.

    That is like a folder that is not writable, but for the superuser too.
    """
    (tmp_path / "results").write_text("a file")
    with pytest.raises(ReplicationError, match="run/record.*cannot be written.*another folder"):
        write(tmp_path / "results" / "run" / "record")
    assert names(tmp_path) == ["results"]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser writes to read-only folders")
def test_a_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ReplicationError, match="cannot be written"):
        files.write_text(tmp_path / "file.txt", "text")
    tmp_path.chmod(0o700)


def test_json_is_sorted_and_ends_with_a_newline(tmp_path):
    files.write_json(tmp_path / "a.json", {"b": [1, 2.5, None], "a": "é"})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert text.index('"a"') < text.index('"b"')
    assert text.endswith("}\n")
    assert files.read_json(tmp_path / "a.json") == {"a": "é", "b": [1, 2.5, None]}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"deep": [float("-inf")]}, object()])
def test_what_is_not_json_is_refused_before_the_file_is_touched(tmp_path, value):
    files.write_json(tmp_path / "a.json", "old")
    with pytest.raises((ValueError, TypeError)):
        files.write_json(tmp_path / "a.json", value)
    assert files.read_json(tmp_path / "a.json") == "old"
    assert names(tmp_path) == ["a.json"]


def test_arrays_of_objects_are_not_written(tmp_path):
    with pytest.raises(TypeError, match="'bad' holds Python objects"):
        files.write_npz(tmp_path / "a.npz", good=np.zeros(2), bad=np.array([None]))
    assert names(tmp_path) == []


# Reading back

plain = st.sampled_from([np.float32, np.float64, np.int64, np.bool_]).flatmap(
    lambda dtype: arrays.arrays(
        dtype, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
    )
)


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(["x", "weight/encoder.mean.bias", "é"]), plain, max_size=3))
def test_arrays_make_the_round_trip_bit_by_bit(tmp_path_factory, stored):
    path = tmp_path_factory.mktemp("arrays") / "a.npz"
    files.write_npz(path, **stored)
    loaded = files.read_npz(path)
    assert loaded.keys() == stored.keys()
    for name, array in stored.items():
        assert (loaded[name].dtype, loaded[name].shape, loaded[name].tobytes()) == (
            array.dtype,
            array.shape,
            array.tobytes(),
        )


def test_text_makes_the_round_trip_in_an_npz(tmp_path):
    files.write_npz(tmp_path / "a.npz", state=np.array('{"phase": "ramp"}'))
    assert str(files.read_npz(tmp_path / "a.npz")["state"]) == '{"phase": "ramp"}'


# Damaged files


def npz_bytes(**stored):
    stream = io.BytesIO()
    np.savez_compressed(stream, **stored)
    return stream.getvalue()


def npy_bytes(array):
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


NPZ = npz_bytes(x=np.arange(40.0).reshape(8, 5), y=np.ones(3, dtype=np.float32))
NPY = npy_bytes(np.arange(40.0).reshape(8, 5))
DAMAGE = {
    "empty": lambda content: b"",
    "one byte": lambda content: content[:1],
    "half": lambda content: content[: len(content) // 2],
    "one byte short": lambda content: content[:-1],
    "garbage": lambda content: b"<html>404</html>" * 20,
    "zeros": lambda content: bytes(len(content)),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize(
    ("read", "name", "content"),
    [
        (files.read_npz, "a.npz", NPZ),
        (files.read_npy, "a.npy", NPY),
        (files.read_json, "a.json", b'{"a": 1}'),
    ],
)
def test_damaged_file_is_named(tmp_path, read, name, content, damage):
    (tmp_path / name).write_bytes(content)
    read(tmp_path / name)
    (tmp_path / name).write_bytes(damage(content))
    with pytest.raises(ReplicationError, match=name):
        read(tmp_path / name)


@pytest.mark.parametrize("read", [files.read_npz, files.read_npy, files.read_json])
@pytest.mark.parametrize("name", ["nowhere", "folder"])
def test_missing_file_is_named(tmp_path, read, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(ReplicationError, match=name):
        read(tmp_path / name)


@pytest.mark.parametrize(
    ("read", "content"),
    [
        (files.read_npz, npz_bytes(x=np.array([{"a": 1}], dtype=object))),
        (files.read_npy, npy_bytes(np.array([{"a": 1}], dtype=object))),
        (files.read_npz, NPY),
        (files.read_npy, NPZ),
        (files.read_npy, npy_bytes(np.array(["text"]))),
    ],
    ids=["pickle in npz", "pickle in npy", "npy as npz", "npz as npy", "text as npy"],
)
def test_other_kinds_of_file_are_refused(tmp_path, read, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ReplicationError, match="file: not a readable"):
        read(tmp_path / "file")


def flip(content, position, bit):
    changed = bytearray(content)
    changed[position % len(content)] ^= 1 << bit
    return bytes(changed)


@settings(max_examples=400)
@given(st.integers(0, len(NPZ) - 1), st.integers(0, 7))
def test_a_flipped_bit_never_changes_an_array_of_an_npz(tmp_path_factory, position, bit):
    path = tmp_path_factory.getbasetemp() / "flipped.npz"
    path.write_bytes(flip(NPZ, position, bit))
    try:
        loaded = files.read_npz(path)
    except ReplicationError as error:
        assert "flipped.npz" in str(error)
    else:
        np.testing.assert_array_equal(
            loaded.get("x", np.arange(40.0).reshape(8, 5)), np.arange(40.0).reshape(8, 5)
        )
        np.testing.assert_array_equal(loaded.get("y", np.ones(3)), np.ones(3))


@settings(max_examples=400)
@given(st.integers(0, 127), st.integers(0, 7))
@example(60, 3)
def test_a_flipped_bit_in_the_header_of_an_npy(tmp_path_factory, position, bit):
    path = tmp_path_factory.getbasetemp() / "flipped.npy"
    path.write_bytes(flip(NPY, position, bit))
    try:
        files.read_npy(path)
    except ReplicationError as error:
        assert "flipped.npy" in str(error)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_counted(tmp_path, value):
    np.save(tmp_path / "a.npy", np.array([1, value, 2, value]))
    with pytest.raises(ReplicationError, match="a.npy: 2 values are NaN or infinite"):
        files.read_npy(tmp_path / "a.npy")


def test_wrong_shape(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((3, 4)))
    assert files.read_npy(tmp_path / "a.npy").shape == (3, 4)
    assert files.read_npy(tmp_path / "a.npy", [3, 4]).shape == (3, 4)
    with pytest.raises(ReplicationError, match=r"a.npy: shape \(3, 4\), expected \(4, 3\)"):
        files.read_npy(tmp_path / "a.npy", (4, 3))


# Hashes


@pytest.mark.parametrize(
    ("content", "algorithm", "expected"),
    [
        (b"hello\n", "git-blob", "ce013625030ba8dba906f756967f9e9ca394464a"),
        (b"", "git-blob", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"),
        (b"hello\n", "sha256", "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"),
        (b"hello\n", "md5", "b1946ac92492d2347c6235b4d2611184"),
    ],
)
def test_known_hashes(tmp_path, content, algorithm, expected):
    (tmp_path / "file").write_bytes(content)
    assert files.file_hash(tmp_path / "file", algorithm) == expected


@pytest.mark.parametrize("size", [(1 << 20) - 1, 1 << 20, (1 << 21) + 1])
def test_hash_of_more_than_one_block(tmp_path, size, rng):
    content = rng.bytes(size)
    (tmp_path / "file").write_bytes(content)
    assert files.file_hash(tmp_path / "file") == hashlib.sha256(content).hexdigest()
    assert (
        files.file_hash(str(tmp_path / "file"), "git-blob")
        == hashlib.sha1(b"blob %d\0" % size + content).hexdigest()
    )
