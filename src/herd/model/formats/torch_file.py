"""Read a PyTorch `.pth` file of plain tensors without running anything in it.

In: a path. Out: tensors by name, views of the mapped file.
Never: plain pickle, compressed archives, more memory than the file has bytes.
Three locks, each enough against its kind: the archive is checked entry by entry, the pickle is
read without being run (`pickle_claims`), and `torch.load` opens it with `weights_only=True`.
"""

import zipfile
from math import prod
from pathlib import Path

import torch

from herd.foundation import UserError
from herd.model.formats.fields import shorten
from herd.model.formats.pickle_claims import TensorClaim, read_claims

MAX_PICKLE_BYTES = 1 << 26
MAX_ENTRIES = 1 << 17


def read_torch_file(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a file; UserError says what lies in it, and where."""
    claims = check_torch_file(path)
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    # The file was whole a moment ago; whatever torch still finds wrong is the file's fault.
    except Exception as error:
        first_line = str(error).split("\n")[0]
        raise UserError(f"{path} cannot be loaded ({first_line}); get it again") from error
    for name, claim in claims.items():
        if tuple(tensors[name].shape) != claim.shape:
            raise UserError(f"{path}: {shorten(name)} changed while it was read; try again")
    return {name: tensor.detach() for name, tensor in tensors.items()}


def check_torch_file(path: Path) -> dict[str, TensorClaim]:
    """Check archive and pickle, and that each storage is as long as the pickle says."""
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        with zipfile.ZipFile(path) as archive:
            entries = _check_entries(path, archive)
            pickle_name = _only_pickle(path, entries)
            claims = read_claims(path, archive.read(pickle_name))
    except UserError:
        raise
    except Exception as error:  # zipfile raises at least six kinds for damaged archives
        raise UserError(
            f"{path} is truncated, damaged or not a .pth file ({error}); get it again"
        ) from error
    folder = pickle_name.removesuffix("data.pkl")
    for name, claim in claims.items():
        _check_storage(path, name, claim, entries.get(f"{folder}data/{claim.key}"))
    return claims


def _check_entries(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    infos = archive.infolist()
    if len(infos) > MAX_ENTRIES:
        raise UserError(f"{path} has {len(infos):,} entries; it is not a model's .pth file")
    stored = all(
        info.compress_type == zipfile.ZIP_STORED and info.file_size == info.compress_size
        for info in infos
    )
    # Entries that are stored, disjoint and inside the file cannot grow when they are read.
    if not stored or sum(info.file_size for info in infos) > path.stat().st_size:
        raise UserError(f"{path}: its entries are compressed or overlap; torch.save writes neither")
    entries = {info.filename: info for info in infos}
    if len(entries) != len(infos):
        raise UserError(f"{path}: an entry occurs twice in the archive; get it again")
    return entries


def _only_pickle(path: Path, entries: dict[str, zipfile.ZipInfo]) -> str:
    names = [name for name in entries if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(names) != 1:
        raise UserError(f"{path} is an archive, but not one that torch.save wrote")
    if entries[names[0]].file_size > MAX_PICKLE_BYTES:
        raise UserError(f"{path}: its pickle has {entries[names[0]].file_size:,} bytes; too many")
    return names[0]


def _check_storage(
    path: Path, name: str, claim: TensorClaim, entry: zipfile.ZipInfo | None
) -> None:
    n_bytes = claim.storage_items * claim.dtype.itemsize
    if entry is None or entry.file_size != n_bytes:
        held = "nothing" if entry is None else f"{entry.file_size:,} bytes"
        raise UserError(
            f"{path}: tensor {shorten(name)} needs a storage of {n_bytes:,} bytes, the archive "
            f"holds {held}; get the file again"
        )
    if prod(claim.shape) > claim.storage_items:
        raise UserError(f"{path}: tensor {shorten(name)} repeats its storage; get the file again")
