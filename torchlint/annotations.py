"""What annotations say: the class of a parameter, and results that are no tensors."""

from __future__ import annotations

import ast

from torchlint.constructs import dotted

_PLAIN = frozenset(
    {"int", "float", "complex", "bool", "str", "bytes", "None", "ndarray", "NDArray", "DataFrame", "Series"}
    | {"DataArray", "csr_matrix", "spmatrix", "xr.Dataset", "xarray.Dataset"}
)
_HOLDERS = frozenset(
    {"list", "tuple", "set", "frozenset", "Sequence", "Iterable"}
    | {"List", "Tuple", "Set", "FrozenSet", "Optional", "Union"}
)
_MAPPINGS = frozenset({"dict", "Dict", "Mapping", "defaultdict", "DefaultDict", "OrderedDict"})


def named(annotation: ast.expr) -> str | None:
    """The dotted name that an annotation says; `X | None` and `Optional[X]` count as X."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return annotation.value if annotation.value.replace(".", "").isidentifier() else None
    if isinstance(annotation, ast.BinOp):
        return named(annotation.left) if dotted(annotation.right) is None else named(annotation.right)
    if isinstance(annotation, ast.Subscript):
        is_optional = dotted(annotation.value) in ("Optional", "typing.Optional")
        return named(annotation.slice) if is_optional else None
    return dotted(annotation)


def is_plain(annotation: ast.expr) -> bool:
    """Whether an annotation speaks of numbers, texts and arrays alone, in containers of any depth."""
    match annotation:
        case ast.Constant(value=None):
            return True
        case ast.Constant(value=str() as text):
            return _says_plain(text)
        case ast.BinOp(left=left, right=right):
            return is_plain(left) and is_plain(right)
        case ast.Tuple(elts=parts):
            return all(is_plain(part) for part in parts)
        case ast.Subscript(value=holder, slice=inner):
            name = _last(dotted(holder) or "")
            if name in _MAPPINGS and isinstance(inner, ast.Tuple):
                inner = inner.elts[-1]  # a key is no tensor, whatever it is called
            return name in _PLAIN or (name in _MAPPINGS | _HOLDERS and is_plain(inner))
        case ast.Constant():
            return annotation.value is Ellipsis
    return _says_plain(dotted(annotation) or "")


def _says_plain(name: str) -> bool:
    return name in _PLAIN or _last(name) in _PLAIN


def _last(name: str) -> str:
    return name.rpartition(".")[2]
