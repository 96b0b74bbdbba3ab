"""From a name as the source spells it to the dotted name it stands for."""

from __future__ import annotations

from torchlint.skeleton import Skeleton

# Modules whose star import is followed: what they export is in the tables of torch.
_STARS = ("torch", "torch.nn", "torch.nn.functional", "torch.autograd")

_SAME = (
    ("torch.nn.modules.", "torch.nn."),
    ("torch.functional.", "torch."),
    ("torch.autograd.grad_mode.", "torch."),
    ("torch.autograd.no_grad", "torch.no_grad"),
    ("torch.autograd.enable_grad", "torch.enable_grad"),
    ("torch.autograd.set_grad_enabled", "torch.set_grad_enabled"),
    ("torch.autograd.inference_mode", "torch.inference_mode"),
    ("torch.nn.Parameter", "torch.nn.parameter.Parameter"),
    ("torch.nn.parallel.DataParallel", "torch.nn.DataParallel"),
)


def canonical(name: str) -> str:
    """One spelling for what torch exports under several names."""
    for prefix, replacement in _SAME:
        if name.startswith(prefix):
            return replacement + name[len(prefix) :]
    return name


class ImportMap:
    """What the names of one source mean, from its imports.

    Relative ones are named from `package`, the dotted name of the folder, where that is known.
    """

    def __init__(self, skeleton: Skeleton, package: str | None = None) -> None:
        self._package = package
        self._imports = skeleton.imports
        if package is not None:
            self._imports = {name: self.absolute(target) for name, target in self._imports.items()}
        self._stars = [name for name in skeleton.stars if name in _STARS]

    def absolute(self, target: str) -> str:
        """An import named from the top: in the package `lib.train`, `..models.Net` is `lib.models.Net`."""
        rest = target.lstrip(".")
        level = len(target) - len(rest)
        if not level or self._package is None:
            return target
        parents = self._package.split(".") if self._package else []
        kept = parents[: max(len(parents) - level + 1, 0)]
        return ".".join([*kept, rest] if rest else kept)

    def resolve(self, spelled: str) -> str | None:
        """The canonical dotted name for `nn.Linear`, or None when its head is not imported."""
        head, dot, rest = spelled.partition(".")
        target = self._imports.get(head)
        if target is None:
            return None
        return canonical(target + dot + rest)

    def starred(self, name: str) -> tuple[str, ...]:
        """Dotted names that a star import may have bound to `name`."""
        return tuple(canonical(f"{star}.{name}") for star in self._stars)

    def __contains__(self, name: object) -> bool:
        """Whether an import binds this name."""
        return name in self._imports

    def spelled(self, dotted_name: str, *, by_name: bool) -> str | None:
        """How this source can spell a dotted name with what it imports, or None.

        With `by_name` only a name of its own counts, not `module.name`.
        """
        module, _, last = dotted_name.rpartition(".")
        for name, target in self._imports.items():
            if target == dotted_name:
                return name
        if by_name:
            return None
        for name, target in self._imports.items():
            if target == module:
                return f"{name}.{last}"
        return last if module in self._stars else None
