"""One mechanism for the families that grow by a file: extractors, aligners, fusion strategies, encoders, blocks.

Every file of a family's folder is a member, and its name is the name. Names are listed without importing anything, so
that ``--help`` and completion stay fast; a module is imported when it is asked for. Packages installed beside mmcli add
members through entry points of the group named after the family (``mmcli.aligners``); a name that is there twice is an
error.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.abc
import inspect
import pkgutil
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from mmcli import entry_points
from mmcli.errors import UsageError


class Registry:
    """The members of one package: ``names()`` without importing them, ``load(name)`` to import one.

    ``group`` is the entry-point group that adds to them, the package's own name unless another is given; ``shared`` a
    family whose members belong to this one too.
    """

    def __init__(
        self,
        kind: str,
        package: str,
        path: Iterable[str],
        *,
        group: str | None = None,
        shared: Registry | None = None,
    ) -> None:
        self.kind = kind
        self.package = package
        self._path = [str(Path(p)) for p in path]
        self.group = group or package
        self._shared = shared
        self._members: dict[str, str] | None = None

    def names(self) -> list[str]:
        """All member names, sorted, third-party ones included."""
        return sorted({*self._own(), *entry_points.added(self.group)})

    def load(self, name: str) -> ModuleType:
        """The module of a member.

        Raises :class:`UsageError`, naming the nearest member, where there is no such name.
        """
        own, added = self._own(), entry_points.added(self.group)
        if name in own and name in added:
            raise UsageError(
                f"{self.kind} {name!r} is defined by mmcli and by {added[name]!r}", hint="uninstall one of them"
            )
        if name in own:
            return importlib.import_module(own[name])
        if name in added:
            return importlib.import_module(added[name])
        raise UsageError(f"unknown {self.kind} {name!r}", hint=nearest(name, [*own, *added]))

    def described(self, name: str) -> Member:
        """What a member's source says of it; it is imported only where its configuration is another's, and more.

        Raises :class:`UsageError` where there is no such name.
        """
        folders = [*self._path, *([] if self._shared is None else self._shared._path)]
        path = next((p for folder in folders if (p := Path(folder) / f"{name}.py").is_file()), None)
        if path is None:
            path = Path(self.load(name).__file__ or "")
        text = path.read_text(encoding="utf-8") if path.suffix == ".py" else ""
        tree = ast.parse(text)
        config = next((n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Config"), None)
        fields = [] if config is None else _fields(config, text.splitlines())
        if config is not None and config.bases:
            fields = _inherited(self.load(name).Config)
        return Member(name, _sentence(ast.get_docstring(tree)), fields)

    def _own(self) -> dict[str, str]:
        """The members of the package, and the module of each. Looked for once: a command asks some sixty times."""
        if self._members is not None:
            return self._members
        members = {} if self._shared is None else dict(self._shared._own())
        for module in pkgutil.iter_modules(self._path):
            if not module.ispkg and not module.name.startswith("_"):
                members[module.name.replace("_", "-")] = f"{self.package}.{module.name}"  # as people type it
        self._members = members
        return members


def listed(names: Iterable[str], first: str = "") -> str:
    """Names as a help text lists them: the default first.

    >>> listed(["audio", "concat", "mean"], "concat")
    'concat, audio, mean'
    """
    return ", ".join(sorted(names, key=lambda name: (name != first, name)))


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence that offers the nearest known name, or all of them where none is near.

    >>> nearest("dwt", ["dtw", "hmm"])
    "did you mean 'dtw'?"
    """
    known = sorted(set(known))
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    return "known: " + ", ".join(known)


@dataclass(frozen=True)
class Field:
    """A field of a member's configuration: its type and default as they are written, and what is said of it."""

    name: str
    kind: str
    default: str | None
    about: str


@dataclass(frozen=True)
class Member:
    """A member as its source describes it: the first sentence, and the fields of its ``Config``."""

    name: str
    about: str
    fields: list[Field]


EMPTY = {"field(default_factory=dict)": "{}", "field(default_factory=list)": "[]"}


def _fields(config: ast.ClassDef, lines: list[str]) -> list[Field]:
    fields = []
    for node in config.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            default = None if node.value is None else EMPTY.get(ast.unparse(node.value), ast.unparse(node.value))
            said = lines[(node.end_lineno or node.lineno) - 1].partition("  # ")[2]
            fields.append(Field(node.target.id, ast.unparse(node.annotation), default, said.strip()))
    return fields


def _inherited(config: type) -> list[Field]:
    """The fields of a class and of those that it is made of; the nearest says what a field is."""
    fields: dict[str, Field] = {}
    for cls in reversed(config.__mro__[:-1]):
        text = textwrap.dedent(inspect.getsource(cls))
        fields |= {field.name: field for field in _fields(ast.parse(text).body[0], text.splitlines())}  # type: ignore[arg-type]
    return list(fields.values())


def _sentence(text: str | None) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((text or "").strip().split("\n\n")[0].split())


class _Moved(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds modules under a path that they are also known by; asked after all others, so that a file at a path wins."""

    def __init__(self) -> None:
        self.places: dict[str, str | Registry] = {}
        self._own: dict[str, ModuleSpec | None] = {}

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return None if self._place(fullname) is None else ModuleSpec(fullname, self)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._place(spec.name) or spec.name)
        self._own[spec.name] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:  # that of the other path: the module stays what it was
            module.__spec__ = self._own.pop(module.__spec__.name)

    def _place(self, path: str) -> str | None:
        place = self.places.get(path)
        if isinstance(place, str):
            return place
        package, _, name = path.rpartition(".")
        family = self.places.get(package)
        return family._own().get(name) if isinstance(family, Registry) else None


_moved = _Moved()
sys.meta_path.append(_moved)


def also_known_as(path: str, place: str | Registry) -> None:
    """Let the module at ``place`` be imported as ``path`` too: one module, two names, loaded on first use.

    Where ``place`` is a registry, its members are imported as ``PATH.NAME``.
    """
    _moved.places[path] = place
