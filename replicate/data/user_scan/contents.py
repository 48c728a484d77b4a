"""List what is in a file from its headers: no array is read before it is needed.

Nothing is executed from a file, and no other file is opened through it: pickled objects, external
links, external storage and virtual datasets are listed with the reason why they are not taken.
"""

from __future__ import annotations

import contextlib
import math
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from replicate.errors import ReplicationError
from replicate.trial import survive

#: Where a path ends and the next name begins, in a group of HDF5 as in a struct of MATLAB.
SEPARATOR = "/"

#: Why an array of each of these kinds is not taken.
PICKLED = "pickled Python objects, which are never opened"
LINKED = "a link to another place or file, which is not followed"
STORED_ELSEWHERE = "its values are in another file, which is not opened"


#: Time on the processor in which the arrays of HDF5 are listed, even of a large file; a damaged
#: attribute can take for ever.
HDF5_SECONDS = 4

#: Time on the processor in which a variable of MATLAB is read, even one of 2 GB.
MATLAB_SECONDS = 600

#: The arrays of a scan that are read may have so many bytes in memory.
LARGEST_BYTES = 4 << 30


def refuse_large(named: str, n_bytes: int) -> None:
    """Refuse arrays that would fill the memory, before they are read.

    Parameters
    ----------
    named : str
        What the arrays are called in the error.
    n_bytes : int
        How many bytes they have in memory, as their headers say.

    Raises
    ------
    ReplicationError
        If they have more than `LARGEST_BYTES`.
    """
    if n_bytes > LARGEST_BYTES:
        raise ReplicationError(
            f"{named}: {n_bytes / 2**30:.3g} GiB in memory, more than {LARGEST_BYTES >> 30} GiB. "
            "Save a part of the scan, or float32 values."
        )


@dataclass(frozen=True)
class Item:
    """One array of a file.

    Attributes
    ----------
    name : str
        Its path in the file.
    shape : tuple of int
    dtype : numpy.dtype or None
        None where it cannot be said without opening what must not be opened.
    load : callable
        Reads the array.
    unit : str
        Its unit, or "" where the file does not say.
    attributes : dict
        Its attributes in HDF5.
    problem : str
        Why it cannot be taken; "" where it can.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype | None
    load: Callable[[], np.ndarray]
    unit: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    problem: str = ""

    @property
    def n_bytes(self) -> int:
        """How many bytes its values have in memory, as the header says."""
        return math.prod(self.shape) * (self.dtype.itemsize if self.dtype is not None else 1)

    @property
    def base(self) -> str:
        """The last part of the path."""
        return self.name.rpartition(SEPARATOR)[2]

    @property
    def group(self) -> str:
        """The path without its last part."""
        return self.name.rpartition(SEPARATOR)[0]


def text(value: Any) -> str:
    """Return an attribute or a text of a file as str, without outer blanks."""
    if isinstance(value, np.ndarray) and value.size:
        value = np.ravel(value)[0]
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return str(value).strip()


def list_npz(path: Path) -> list[Item]:
    """List the arrays of a NumPy archive."""
    items = []
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if not member.endswith(".npy"):
                continue
            with archive.open(member) as stream:
                shape, dtype = _npy_header(stream)
            name = member[: -len(".npy")]
            problem = PICKLED if dtype.hasobject else ""
            items.append(Item(name, shape, dtype, partial(_load_npz, path, name), problem=problem))
    return items


def _load_npz(path, name):
    with np.load(path, allow_pickle=False) as stored:
        return stored[name]


def list_npy(path: Path) -> list[Item]:
    """List the one array of a NumPy file."""
    with path.open("rb") as stream:
        shape, dtype = _npy_header(stream)
    problem = PICKLED if dtype.hasobject else ""
    load = partial(np.load, path, allow_pickle=False)
    return [Item(path.stem, shape, dtype, load, problem=problem)]


def _npy_header(stream):
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    else:
        shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    return shape, dtype


def list_hdf5(path: Path) -> list[Item]:
    """List the datasets of an HDF5 file, in all of its groups."""
    import h5py

    with h5py.File(path, "r") as file:
        return [_hdf5_item(path, name, item) for name, item in walk(file)]


def walk(group: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the path and the dataset, or the link that is not followed, of everything in a group.

    Parameters
    ----------
    group : h5py.Group
    above : str
        The path of the group.
    """
    import h5py

    for name in group:
        path = f"{above}{SEPARATOR}{name}" if above else name
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            yield path, link
            continue
        item = group[name]
        if isinstance(item, h5py.Group):
            yield from walk(item, path)
        elif isinstance(item, h5py.Dataset):
            yield path, item


def is_elsewhere(item: Any) -> bool:
    """Return whether the values of a dataset (`h5py.Dataset`) are in another file."""
    return bool(item.external) or item.is_virtual


def values_of(item: Any) -> np.ndarray:
    """Read a dataset (`h5py.Dataset`).

    Raises
    ------
    ReplicationError
        If its values are in another file, or too large.
    """
    if is_elsewhere(item):
        raise ReplicationError(f"{item.name}: {STORED_ELSEWHERE}. Copy everything into one file.")
    refuse_large(item.name, item.nbytes)
    return item[()]


def _hdf5_item(path, name, item):
    import h5py

    load = partial(_load_hdf5, path, name)
    if not isinstance(item, h5py.Dataset):
        return Item(name, (), None, load, problem=LINKED)
    problem = STORED_ELSEWHERE if is_elsewhere(item) else ""
    attributes = {
        key: item.attrs[key]
        for key in ("quantity", "units", "data_type", "MATLAB_class", "MATLAB_empty")
        if key in item.attrs
    }
    unit = text(attributes.get("units", ""))
    return Item(name, item.shape or (), item.dtype, load, unit, attributes, problem)


def _load_hdf5(path, name):
    import h5py

    with h5py.File(path, "r") as file:
        return file[name][()]


def list_matlab(path: Path) -> list[Item]:
    """List the variables of a MATLAB file, and the fields of its structs."""
    import h5py
    from scipy.io import whosmat

    if h5py.is_hdf5(path):
        items = [_matlab_73(item) for item in list_hdf5(path)]
        return [item for item in items if not item.name.startswith("#")]
    items = []
    for name, shape, kind in whosmat(path, appendmat=False):
        if kind == "struct":
            items += _fields(name, _read_matlab(path, name))
        else:
            load = partial(load_matlab, path, name)
            items.append(Item(name, shape, _MATLAB_TYPES.get(kind), load))
    return items


#: The types of MATLAB by their names in SciPy; other kinds are not arrays of numbers.
_MATLAB_TYPES = {
    **{
        name: np.dtype(name)
        for name in ("double", "single", "int8", "int16", "int32", "int64")
        + ("uint8", "uint16", "uint32", "uint64")
    },
    "logical": np.dtype(bool),
    "char": np.dtype(str),
}


def load_matlab(path: str | Path, name: str) -> Any:
    """Return a variable of a MATLAB file of version 5.

    Raises
    ------
    ReplicationError
        If the file is so damaged that reading it crashes.
    """
    survive(path, MATLAB_SECONDS, _read_matlab, path, name)
    return _read_matlab(path, name)


def _read_matlab(path, name):
    from scipy.io import loadmat

    return loadmat(path, appendmat=False, variable_names=[name])[name]


def _fields(name, struct):
    """Return the fields of a struct of MATLAB as items, those of inner structs too."""
    if struct.size != 1:
        problem = f"an array of {struct.size} structs; save one"
        return [Item(name, struct.shape, struct.dtype, lambda: struct, problem=problem)]
    items = []
    for field_name in struct.dtype.names or ():
        values = struct.ravel()[0][field_name]
        path = f"{name}{SEPARATOR}{field_name}"
        if isinstance(values, np.ndarray) and values.dtype.names:
            items += _fields(path, values)
        elif isinstance(values, np.ndarray):
            items.append(Item(path, values.shape, values.dtype, partial(np.asarray, values)))
    return items


def _matlab_73(item):
    """Return an item as MATLAB has it: the first index fastest, complex numbers, texts."""
    if item.dtype is None or item.problem:
        return item
    is_complex = item.dtype.names == ("real", "imag")
    kind = text(item.attributes.get("MATLAB_class", ""))
    dtype = np.dtype(complex) if is_complex else item.dtype
    if kind == "char":
        dtype = np.dtype(str)
    elif kind == "logical":
        dtype = np.dtype(bool)

    def load():
        values = np.transpose(item.load())
        if is_complex:
            return values["real"] + 1j * values["imag"]
        if kind == "char":
            return np.array("".join(map(chr, values.ravel())))
        return values.astype(bool) if kind == "logical" else values

    problem = "a cell array; save an array" if item.dtype.hasobject else ""
    if "MATLAB_empty" in item.attributes:
        problem = "empty"
    return Item(item.name, item.shape[::-1], dtype, load, problem=problem)


#: The function that lists the arrays of a file, for each kind of file.
LISTS: dict[str, Callable[[Path], list[Item]]] = {
    ".npz": list_npz,
    ".npy": list_npy,
    ".h5": list_hdf5,
    ".hdf5": list_hdf5,
    ".hspy": list_hdf5,
    ".mat": list_matlab,
}


def list_items(path: Path) -> list[Item]:
    """List the arrays of a file.

    Raises
    ------
    ReplicationError
        If the file is missing, a folder, empty, of another kind or damaged.
    """
    if path.is_dir():
        raise ReplicationError(f"{path}: a folder. Name the file of the scan in it.")
    if not path.is_file():
        raise ReplicationError(f"{path}: no such file.")
    suffix = path.suffix.lower()
    if suffix not in LISTS:
        raise ReplicationError(
            f"{path}: a scan is read from {', '.join(LISTS)}. Save it as one of these."
        )
    if path.stat().st_size == 0:
        raise ReplicationError(
            f"{path}: cannot be read (it is empty, 0 bytes). Copy or export the file again."
        )
    if LISTS[suffix] in (list_hdf5, list_matlab):
        _try_to_list(path, LISTS[suffix])
    try:
        return LISTS[suffix](path)
    except Exception as error:  # a damaged file makes zlib, SciPy and HDF5 raise almost anything
        raise unreadable(path, error) from error


def try_to_list_matlab(path: str | Path) -> None:
    """Refuse a MATLAB file, of any suffix, that is so damaged that listing it crashes."""
    _try_to_list(Path(path), list_matlab)


def _try_to_list(path, function):
    """List the arrays of a file in a child process; structs of MATLAB 5 are read for that."""
    import h5py

    if h5py.is_hdf5(path):
        survive(path, HDF5_SECONDS, _list_with_attributes, path, function)
    else:
        survive(path, MATLAB_SECONDS, function, path)


def _list_with_attributes(path, function):
    """List the arrays of a file of HDF5, and read every attribute of its groups and datasets."""
    import h5py

    function(path)
    with h5py.File(path, "r") as file:
        file.visititems(_read_attributes)


def _read_attributes(name, item):
    """Read the attributes of an item; damage that HDF5 notices is told when they are used."""
    for key in item.attrs:
        with contextlib.suppress(Exception):
            item.attrs[key]


def unreadable(path: Path, error: Exception) -> ReplicationError:
    """Return the error for a file, or an array of it, that is damaged."""
    return ReplicationError(f"{path}: cannot be read ({error}). Copy or export the file again.")
