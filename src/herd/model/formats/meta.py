"""Meta's directory: params.json and one `consolidated.NN.pth` per model-parallel rank.

In: a directory, or a model. Out: the other.
Never: plain pickle; a merge along the wrong dimension (each is checked against the config).
Layout: fairscale's column-parallel layers are cut along rows (dimension 0), row-parallel ones
along columns (dimension 1); queries and keys are interleaved for complex rotary embedding.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from herd.foundation import UserError, atomic_directory, explain_write_errors, write_json
from herd.model.config import ModelConfig
from herd.model.formats.meta_params import (
    LLAMA2_THETA,
    PARAMS_NAME,
    SIDE_NAME,
    config_from_meta,
    config_to_meta,
    stated_heads,
)
from herd.model.formats.names import META_TO_HERD, meta_name, to_herd
from herd.model.formats.replaceable import check_replaceable
from herd.model.formats.rotary_layout import is_rotated, to_half_split, to_interleaved
from herd.model.formats.stored_model import StoredModel, StoredTensor, drop_tied_output
from herd.model.formats.torch_file import read_torch_file
from herd.model.formats.vocabulary import check_vocabulary
from herd.model.quantization import check_unquantized
from herd.model.transformer import Transformer
from herd.tokenizer import Tokenizer

SHARD_PATTERN = "consolidated.*.pth"
DERIVED_NAMES = ("rope.freqs",)  # saved by Llama 2's code, follows from the config
# Which dimension a tensor is cut along, by the end of Herd's name; norms are whole in each shard.
CUT_DIMENSION = {
    "attention.q.weight": 0,
    "attention.k.weight": 0,
    "attention.v.weight": 0,
    "attention.o.weight": 1,
    "feed_forward.gate.weight": 0,
    "feed_forward.up.weight": 0,
    "feed_forward.down.weight": 1,
    "output.weight": 0,
}
Shards = Sequence[dict[str, torch.Tensor]]


def open_meta(directory: Path) -> StoredModel:
    """Return the directory's config and merged tensors; data is read when asked for."""
    paths = sorted(directory.glob(SHARD_PATTERN))
    if not paths:
        raise UserError(f"{directory} has {PARAMS_NAME} but no {SHARD_PATTERN}; get the weights")
    shards, unknown = _rename([read_torch_file(path) for path in paths], paths)
    _check_same_shapes(shards, paths)
    n_kv_heads, copies = _kv_heads(shards, *stated_heads(directory))
    config = config_from_meta(
        directory,
        vocab_size=_embedding_rows(directory, shards),
        n_kv_heads=n_kv_heads,
        looks_tied=lambda: _looks_tied(shards),
    )
    merge = _Merge(shards, config, copies)
    tensors = {name: merge.stored(name, paths[0]) for name in shards[0]}
    if config.tie_embeddings:
        drop_tied_output(tensors)
    return StoredModel(
        path=directory,
        name_there=meta_name,
        config=config,
        tensors=tensors,
        unknown=unknown,
    )


def save_meta(
    model: Transformer,
    directory: Path | str,
    *,
    n_shards: int = 1,
    tokenizer: Tokenizer | None = None,
    replace: bool = False,
    advance: Callable[[int], None] | None = None,
) -> None:
    """Write Meta's directory with `n_shards` model-parallel files.

    More shards than key-value heads repeat each head, as the 405B release over 16 does.
    `herd.json` beside params.json keeps what Meta's file cannot say. Raises UserError when the
    directory exists (unless `replace`), the disk is full, or the model is quantised or cannot be cut so.
    """
    directory, config = Path(directory), model.config
    check_unquantized(model)
    _check_divisible(config, n_shards)
    if tokenizer is not None:
        check_vocabulary(config, tokenizer, directory)
    params, side = config_to_meta(config, n_shards)
    if replace:
        check_replaceable(directory)
    with atomic_directory(directory, replace=replace) as partial:
        write_json(partial / PARAMS_NAME, params)
        write_json(partial / SIDE_NAME, side)
        if tokenizer is not None:
            tokenizer.save(partial)
        for rank in range(n_shards):
            shard = _cut(model, rank, n_shards)
            _save_torch(shard, partial / f"consolidated.{rank:02d}.pth")
            if advance is not None:
                advance(sum(tensor.nbytes for tensor in shard.values()))


def _rename(
    files: Sequence[dict[str, torch.Tensor]], paths: Sequence[Path]
) -> tuple[Shards, tuple[str, ...]]:
    shards: list[dict[str, torch.Tensor]] = []
    unknown = []
    for file, path in zip(files, paths, strict=True):
        shards.append({})
        for name, tensor in file.items():
            herd_name = to_herd(name, META_TO_HERD)
            if herd_name is not None:
                shards[-1][herd_name] = tensor
            elif name not in DERIVED_NAMES:
                unknown.append(f"{path.name}: {name!r}")
    return shards, tuple(unknown)


def _check_same_shapes(shards: Shards, paths: Sequence[Path]) -> None:
    first = {name: tensor.shape for name, tensor in shards[0].items()}
    for shard, path in zip(shards, paths, strict=True):
        for name in first | shard:
            if name not in shard or name not in first or shard[name].shape != first[name]:
                raise UserError(
                    f"{path} and {paths[0].name} do not agree on {meta_name(name)}; "
                    "they belong to different models, or one is damaged"
                )


def _kv_heads(shards: Shards, head_dim: int, stated: int) -> tuple[int, int]:
    """Return (different key-value heads, how often each is stored).

    The 405B release over 16 shards repeats its 8 heads and states 16; heads repeat in neighbours.
    """
    key = shards[0].get("layers.0.attention.k.weight")
    if key is None or len(shards) == 1:
        return stated, 1
    n_stored = key.shape[0] * len(shards) // head_dim
    copies = n_stored // stated
    if copies * stated == n_stored and copies > 1:
        return stated, copies
    if n_stored == stated == len(shards):
        copies = _equal_neighbours([shard["layers.0.attention.k.weight"] for shard in shards])
        return n_stored // copies, copies
    return stated, 1


def _equal_neighbours(tensors: Sequence[torch.Tensor]) -> int:
    """Return the length of the equal runs that the tensors come in, 1 when they come in none."""
    run = 1
    while run < len(tensors) and torch.equal(tensors[run], tensors[0]):
        run += 1
    if len(tensors) % run:
        return 1
    groups = [tensors[start : start + run] for start in range(0, len(tensors), run)]
    return run if all(torch.equal(group[0], other) for group in groups for other in group) else 1


def _embedding_rows(directory: Path, shards: Shards) -> int:
    embedding = shards[0].get("embedding.weight")
    if embedding is None or embedding.dim() != 2:
        raise UserError(f"{directory}: the weights lack {meta_name('embedding.weight')}")
    return embedding.shape[0] * (len(shards) if _is_cut_by_vocabulary(shards) else 1)


def _is_cut_by_vocabulary(shards: Shards) -> bool:
    """Llama 3 cuts the embedding along the vocabulary, Llama 2 along the width."""
    norm = shards[0].get("norm.weight")
    return norm is None or shards[0]["embedding.weight"].shape[-1:] == norm.shape


def _looks_tied(shards: Shards) -> bool:
    """Whether there is no output matrix, or one that is the embedding (Meta stores 1B and 3B so)."""
    if "output.weight" not in shards[0]:
        return True
    return _is_cut_by_vocabulary(shards) and all(
        torch.equal(shard["output.weight"][:1], shard["embedding.weight"][:1])
        and torch.equal(shard["output.weight"], shard["embedding.weight"])
        for shard in shards
    )


class _Merge:
    """How the pieces of one tensor become one."""

    def __init__(self, shards: Shards, config: ModelConfig, copies: int) -> None:
        self.shards, self.config, self.copies = shards, config, copies
        self.embedding_cut = 0 if _is_cut_by_vocabulary(shards) else 1

    def stored(self, name: str, path: Path) -> StoredTensor:
        piece = self.shards[0][name]
        shape = list(piece.shape)
        cut = self.cut(name)
        if cut is not None and cut < len(shape):
            shape[cut] = shape[cut] * len(self.shards) // self.copies_of(name)
        return StoredTensor(
            shape=tuple(shape),
            dtype=piece.dtype,
            read=lambda: self.read(name, path),
            where=f"{path}: {meta_name(name)}",
        )

    def cut(self, name: str) -> int | None:
        if name == "embedding.weight":
            return self.embedding_cut
        return cut_dimension(name)

    def copies_of(self, name: str) -> int:
        return self.copies if _is_key_or_value(name) else 1

    def read(self, name: str, path: Path) -> torch.Tensor:
        pieces = [shard[name] for shard in self.shards]
        cut = self.cut(name)
        if cut is None:
            if not all(torch.equal(piece, pieces[0]) for piece in pieces):
                raise UserError(f"{path.parent}: the shards do not agree on {meta_name(name)}")
            return pieces[0]
        whole = pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=cut)
        if self.copies_of(name) > 1:
            whole = self.first_copies(whole, name, path)
        return to_half_split(whole, self.config.head_dim) if is_rotated(name) else whole

    def first_copies(self, whole: torch.Tensor, name: str, path: Path) -> torch.Tensor:
        heads = whole.reshape(-1, self.copies, self.config.head_dim, whole.shape[-1])
        if not torch.equal(heads, heads[:, :1].expand_as(heads)):
            raise UserError(
                f"{path.parent}: {meta_name(name)} has heads that should be copies of each other "
                "but differ; n_kv_heads in params.json is wrong, or a shard is of another model"
            )
        return heads[:, 0].flatten(0, 1)


def cut_dimension(name: str) -> int | None:
    """Return the dimension Meta cuts Herd's tensor `name` along; None for the norms."""
    return next((cut for end, cut in CUT_DIMENSION.items() if name.endswith(end)), None)


def _is_key_or_value(name: str) -> bool:
    return name.endswith((".attention.k.weight", ".attention.v.weight"))


def _check_divisible(config: ModelConfig, n_shards: int) -> None:
    if n_shards < 1:
        raise UserError(f"n_shards is {n_shards}; it must be at least 1")
    counts = {
        "n_heads": config.n_heads,
        "ffn_dim": config.ffn_dim,
        "vocab_size": config.vocab_size,
        "dim": config.dim,
    }
    for field, count in counts.items():
        if count % n_shards:
            raise UserError(f"{n_shards} shards do not divide {field}, {count}; choose another")
    if config.n_kv_heads % n_shards and n_shards % config.n_kv_heads:
        raise UserError(f"{n_shards} shards and {config.n_kv_heads} n_kv_heads do not divide")


def _cut(model: Transformer, rank: int, n_shards: int) -> dict[str, torch.Tensor]:
    """Return one rank's tensors by Meta's names."""
    config, weights = model.config, model.state_dict()
    embedding_cut = 1 if config.rope_theta == LLAMA2_THETA else 0  # Llama 2's code, or 3's
    if config.tie_embeddings:
        weights["output.weight"] = weights["embedding.weight"]  # Meta's code knows no tying
    shard = {}
    for name, weight in weights.items():
        cut = embedding_cut if name == "embedding.weight" else cut_dimension(name)
        if is_rotated(name):
            weight = to_interleaved(weight, config.head_dim)
        if _is_key_or_value(name) and n_shards > config.n_kv_heads:
            weight = _repeat_heads(weight, n_shards // config.n_kv_heads, config.head_dim)
        piece = weight if cut is None else weight.chunk(n_shards, dim=cut)[rank]
        shard[meta_name(name)] = _alone(piece.detach().cpu())
    return shard


def _repeat_heads(weight: torch.Tensor, copies: int, head_dim: int) -> torch.Tensor:
    heads = weight.reshape(-1, head_dim, weight.shape[-1])
    return heads.repeat_interleave(copies, dim=0).flatten(0, 1)


def _alone(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor whose storage holds nothing else; torch.save writes whole storages."""
    is_alone = tensor.is_contiguous() and tensor.untyped_storage().nbytes() == tensor.nbytes
    return tensor if is_alone else tensor.clone(memory_format=torch.contiguous_format)


def _save_torch(tensors: dict[str, torch.Tensor], path: Path) -> None:
    with explain_write_errors(path), path.open("wb") as file:
        try:
            torch.save(tensors, file)
        except RuntimeError as error:
            # torch closes its archive after a failed write, and complains about that instead.
            if isinstance(error.__context__, OSError):
                raise error.__context__ from error
            raise
