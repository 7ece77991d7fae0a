"""Which of a repository's files are the model that a name means: pure functions over lists of names and sizes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mlxr.actors.registry.sources.huggingface.folder_files import folder_files
from mlxr.models.formats.gguf.split import SUFFIX, part_files
from mlxr.models.formats.pickles import REFUSED, named_as_pickle
from mlxr.runtime.errors import ModelNotFound, PullError

FOLDER_TAG = "safetensors"
"""The tag that means a repository's folder of safetensors, where it has GGUF files too."""

PREFERRED = (
    *("Q4_K_M", "UD-Q4_K_XL", "Q4_K_L", "Q4_K_S", "Q4_K", "IQ4_NL", "IQ4_XS", "Q4_0", "Q4_1", "MXFP4", "MXFP4_MOE"),
    *("Q5_K_M", "UD-Q5_K_XL", "Q5_K_S", "Q5_K", "Q5_0", "Q5_1", "Q6_K", "UD-Q6_K_XL", "Q8_0", "UD-Q8_K_XL"),
    *("Q3_K_L", "UD-Q3_K_XL", "Q3_K_M", "Q3_K", "Q3_K_S", "IQ3_M", "IQ3_S", "IQ3_XS", "IQ3_XXS"),
    *("BF16", "F16", "FP16", "F32", "Q2_K", "Q2_K_L", "UD-Q2_K_XL", "Q2_K_S", "IQ2_M", "IQ2_S", "IQ2_XS", "IQ2_XXS"),
)
"""Quantizations in the order in which one is chosen where none is named. Ollama and llama.cpp begin with Q4_K_M, too;
what follows are its neighbours, larger ones before smaller ones."""

_LABEL = re.compile(r"(?:UD-)?(?:IQ|TQ|Q)[1-8](?:_[A-Z0-9]+)*|B?F16|FP16|F32|FP32|MXFP4(?:_MOE)?|NVFP4", re.IGNORECASE)
_BEFORE = r"(?:^|(?<=[.\-_/]))"
_LABELS = re.compile(rf"{_BEFORE}({_LABEL.pattern})(?=$|[.\-_/])", re.IGNORECASE)
_BESIDE = re.compile(r"(?:^|[.\-_/])(?:mmproj|imatrix)(?:[.\-_/]|$)", re.IGNORECASE)
"""GGUF files that are no models: projectors of images, importance matrices."""
_AHEAD = re.compile(r"(?:^|[.\-_/])(?:mtp|draft)(?:[.\-_/]|$)", re.IGNORECASE)
"""Models that guess ahead of others: meant where a repository has no others."""
_LISTED = 8


@dataclass(frozen=True, slots=True)
class RepositoryModel:
    """The files of one model.

    paths: in the repository; a folder's ``config.json`` comes first.
    root: the folder that they lie in, with a slash at its end; '' for the repository's own.
    folder: whether they are a folder to mlxr.
    tag: what to call this model of the repository; '' where it has no other.
    default: whether a name without a tag means it.
    """

    paths: tuple[str, ...]
    root: str = ""
    folder: bool = False
    tag: str = ""
    default: bool = True


def choose(repo: str, paths: Sequence[str], tag: str = "", path: str = "") -> RepositoryModel:
    """Returns the model that ``tag`` or ``path`` means in a repository with these files, or the one that suits most.

    Raises ``ModelNotFound`` where there is no such one, or several, with those that there are; ``PullError`` where the
    repository has no files that mlxr reads.
    """
    models = gguf_models(paths)
    if tag and not path and tag.upper() not in map(label, models) and any(each.startswith(f"{tag}/") for each in paths):
        path = tag
    if path:
        return _by_path(repo, paths, models, path)
    folder = folder_files(paths, "")
    if tag.lower() == FOLDER_TAG and folder:
        return RepositoryModel(folder, folder=True, tag=FOLDER_TAG if models else "", default=not models)
    if models and tag:
        return _by_tag(repo, models, tag)
    if models:
        return _default(repo, models)
    if not folder:
        raise _nothing(repo, paths)
    if tag:
        raise ModelNotFound(
            f"{repo} has no {tag!r}: it has one model, in safetensors; give hf.co/{repo}, or another repository "
            "with GGUF files"
        )
    return RepositoryModel(folder, folder=True)


def gguf_models(paths: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Returns the GGUF models among files: the parts of each, by the path of its first."""
    whole = {path for path in paths if path.lower().endswith(SUFFIX) and not _BESIDE.search(path)}
    there = {path for path in whole if not _AHEAD.search(path)} or whole
    found: dict[str, tuple[str, ...]] = {}
    for path in sorted(there):
        parts = tuple(part.as_posix() for part in part_files(Path(path)))
        if parts[0] in there:
            found[parts[0]] = parts
    return found


def label(path: str) -> str:
    """Returns the quantization that a GGUF file's name has, as it is usually written, or else the name of its folder;
    '' where neither says."""
    pure = PurePosixPath(path)
    for text in (pure.stem, *(parent.name for parent in pure.parents)):
        if found := _LABELS.findall(text):
            return str(found[-1]).upper()
    return ""


def _by_path(repo: str, paths: Sequence[str], models: dict[str, tuple[str, ...]], path: str) -> RepositoryModel:
    if path.lower().endswith(SUFFIX):
        wanted = part_files(Path(path))[0].as_posix()
        found = [first for first in models if first == wanted or PurePosixPath(first).name == wanted]
        if not found and wanted in paths:
            return RepositoryModel((wanted,), tag=PurePosixPath(wanted).name, default=False)
        if len(found) != 1:
            raise ModelNotFound(f"{repo} has no file {path!r}; it has {_listing(models) or 'no GGUF files'}")
        default = len(models) == 1 or _preferred(models)[:1] == found
        return RepositoryModel(models[found[0]], tag=_tag_of(found[0], models), default=default)
    root = path.strip("/")
    inside = [each for each in paths if each.startswith(f"{root}/")]
    if folder := folder_files(inside, f"{root}/"):
        return RepositoryModel(folder, root=f"{root}/", folder=True, tag=root.replace("/", "-"), default=False)
    within = gguf_models(inside)
    if len(within) == 1:
        first, parts = next(iter(within.items()))
        return RepositoryModel(parts, tag=_tag_of(first, models), default=len(models) == 1)
    if named_as_pickle(path) and path in paths:
        raise PullError(f"{path} of {repo} is {REFUSED}")
    what = f"several models in {root!r} ({_listing(within)}); name one" if within else f"no model at {root!r}"
    raise ModelNotFound(f"{repo} has {what}")


def _by_tag(repo: str, models: dict[str, tuple[str, ...]], tag: str) -> RepositoryModel:
    wanted = tag.upper()
    found = [first for first in models if label(first) == wanted]
    if not found and not wanted.startswith("UD-"):
        found = [first for first in models if label(first) == f"UD-{wanted}"]
    if not found:
        found = [first for first in models if PurePosixPath(first).stem.upper() == wanted]
    if not found:
        shown = _listing(models)
        raise ModelNotFound(
            f"{repo} has no {tag!r}; it has {shown}: give one behind a colon, as hf.co/{repo}:{_one(models)}"
        )
    return _only(repo, models, found, tag)


def _default(repo: str, models: dict[str, tuple[str, ...]]) -> RepositoryModel:
    ranked = _preferred(models)
    best = [first for first in ranked if label(first) == label(ranked[0])]
    return _only(repo, models, best, "")


def _only(repo: str, models: dict[str, tuple[str, ...]], found: list[str], tag: str) -> RepositoryModel:
    if len(found) > 1:
        ways = ", ".join(repr(PurePosixPath(first).name) for first in found[:_LISTED])
        of = f" in {tag!r}" if tag else ""
        raise ModelNotFound(
            f"{repo} has several models{of}: {ways}; give the name of one behind a colon, as "
            f"hf.co/{repo}:{PurePosixPath(found[0]).name}"
        )
    default = label(_preferred(models)[0]) == label(found[0])
    return RepositoryModel(models[found[0]], tag=_tag_of(found[0], models), default=default)


def _preferred(models: dict[str, tuple[str, ...]]) -> list[str]:
    """Models, the one that suits most first."""
    order = {name: number for number, name in enumerate(PREFERRED)}
    return sorted(models, key=lambda first: (order.get(label(first), len(order)), first))


def _tag_of(first: str, models: dict[str, tuple[str, ...]]) -> str:
    """What tells a model from the others of its repository: its quantization where that does, else its file's name."""
    own = label(first)
    if own and sum(label(other) == own for other in models) == 1:
        return own
    name = PurePosixPath(first).name
    return name[: -len(SUFFIX)] if len(models) > 1 else ""


def _one(models: dict[str, tuple[str, ...]]) -> str:
    first = _preferred(models)[0]
    return label(first) or PurePosixPath(first).name


def _listing(models: Iterable[str]) -> str:
    given = list(models)
    shown = sorted({label(first) or repr(PurePosixPath(first).name) for first in given})
    if len(shown) < len(given):
        shown = [repr(PurePosixPath(first).name) for first in given]
    more = f" and {len(shown) - 2 * _LISTED} more" if len(shown) > 2 * _LISTED else ""
    return ", ".join(shown[: 2 * _LISTED]) + more


def _nothing(repo: str, paths: Sequence[str]) -> PullError:
    """Why a repository has no model that could be pulled."""
    if pickle := next((path for path in sorted(paths) if named_as_pickle(path)), ""):
        return PullError(
            f"{repo} has no model that mlxr reads: {pickle} is {REFUSED}; others may have published it as GGUF: "
            f"https://huggingface.co/models?search={PurePosixPath(repo).name}+gguf"
        )
    if any(path.lower().endswith(SUFFIX) for path in paths):
        return PullError(f"{repo} has no whole model among its GGUF files ({', '.join(sorted(paths)[:4])})")
    kinds = sorted({PurePosixPath(path).suffix for path in paths if PurePosixPath(path).suffix} - {".md"})
    has = f"files in {', '.join(kinds[:_LISTED])}" if kinds else "no files"
    return PullError(f"{repo} holds no model that mlxr reads (GGUF, or config.json beside *.safetensors): it has {has}")
