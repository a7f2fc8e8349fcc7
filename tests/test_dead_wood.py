"""Nothing public stands in the product that the product does not use.

What is looked at: every module, and every public function, class and method. A name counts as used where product code
that is itself used names it, or where the README or a page of mmcli/docs offers it. Names are followed through the
imports of the file that uses them; a method, or anything of a member of a registry, is used where its name stands after
a dot anywhere.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ROOT / "mmcli"
# Folders whose files are found by a registry, or by the table of commands, and not by an import.
FAMILIES = (
    "mmcli.aligners.kernels",  # each in C and as a twin, one of which `engine` takes
    "mmcli.aligners.editors",
    "mmcli.aligners.methods",
    "mmcli.artifacts.packs",
    "mmcli.media.transcripts",
    "mmcli.extractors",
    "mmcli.fusion.strategies",
    "mmcli.models.blocks",
    "mmcli.models.encoders",
    "mmcli.models.turns",
    "mmcli.ranking.methods",
    "mmcli.cli",
)
# Of classes that others defined, whose methods they call.
OWN_BASES = {"NamedTuple", "Protocol", "Generic", "Exception", "BaseException"}

_WHOLE = "what the tests hold the summary of posteriors to, whole"
ALLOWED = {
    "mmcli.aligners.kernels.hmm.posterior_blocks": _WHOLE,
    "mmcli.aligners.kernels.hmm.posteriors": _WHOLE,
    "mmcli.artifacts.formats.dataset.dumps": "every format has load, loads, save and dumps (mmcli.artifacts)",
}


@dataclass
class Thing:
    """A module, or something public that is defined in one."""

    name: str
    module: str
    node: ast.AST
    member: bool = False  # reached by its name after a dot, whoever it belongs to
    users: set[str] = field(default_factory=set)


@dataclass
class Source:
    """A file: what it imports, and every name in it with the thing that the name stands in."""

    module: str
    imports: set[str] = field(default_factory=set)
    taken: list[tuple[str, str]] = field(default_factory=list)  # (module.name of a from-import, where)
    names: list[tuple[str, str]] = field(default_factory=list)  # (a bare name, where)
    dotted: list[tuple[str, str]] = field(default_factory=list)  # (the name after a dot, where)
    texts: list[tuple[str, str]] = field(default_factory=list)  # (a text that may name something, where)


def module_of(path: Path, root: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def in_family(module: str) -> bool:
    return module.startswith(tuple(f"{family}." for family in FAMILIES))


def public(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")


def defined(module: str, tree: ast.Module) -> Iterator[Thing]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            bases = {ast.unparse(base).split("[")[0].rpartition(".")[2] for base in node.bases}
            local = {n.name for n in tree.body if isinstance(n, ast.ClassDef)}
            for inner in node.body if bases <= OWN_BASES | local else ():
                if public(inner):
                    yield Thing(f"{module}.{node.name}.{inner.name}", module, inner, member=True)
        if public(node):
            yield Thing(f"{module}.{node.name}", module, node, member=in_family(module))


def read(module: str, tree: ast.Module, modules: set[str], things: dict[ast.AST, str]) -> Source:
    source = Source(module)

    def visit(node: ast.AST, inside: str) -> None:
        inside = things.get(node, inside)
        if isinstance(node, ast.Import):
            source.imports |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                source.imports |= {name} & modules
                source.taken.append((name, inside))
        elif isinstance(node, ast.Name):
            source.names.append((node.id, inside))
        elif isinstance(node, ast.Attribute):
            source.dotted.append((node.attr, inside))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            source.texts.append((node.value, inside))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "hasattr"):
            source.dotted.append((str(getattr(node.args[1], "value", "")), inside))
        for child in ast.iter_child_nodes(node):
            visit(child, inside)

    visit(tree, module)
    return source


def dead(root: Path, offered: str) -> list[str]:
    """The dotted names of what nothing uses; ``offered`` is the text that promises things to outsiders."""
    trees = {module_of(p, root): ast.parse(p.read_text()) for p in sorted((root / "mmcli").rglob("*.py"))}
    things = [thing for module, tree in trees.items() for thing in defined(module, tree)]
    nodes = {thing.node: thing.name for thing in things}
    sources = [read(module, tree, set(trees), nodes) for module, tree in trees.items()]
    templates = " ".join(p.read_text() for p in sorted((root / "mmcli").rglob("templates/*")))
    promised = set(re.findall(r"\w+", offered + templates))

    by_member: dict[str, list[Thing]] = defaultdict(list)
    by_module: dict[tuple[str, str], Thing] = {}
    for thing in things:
        if thing.member:
            by_member[thing.name.rpartition(".")[2]].append(thing)
        by_module[(thing.module, thing.name.removeprefix(f"{thing.module}."))] = thing

    def use(thing: Thing | None, where: str) -> None:
        if thing is not None and not (where == thing.name or where.startswith(f"{thing.name}.")):
            thing.users.add(where)

    for source in sources:
        for name, where in source.names:
            use(by_module.get((source.module, name)), where)
        for name, where in source.taken:
            module, _, own = name.rpartition(".")
            use(by_module.get((module, own)), where)
            for thing in by_member[own] if module not in trees else ():
                use(thing, where)
        for name, where in source.dotted:
            for module in source.imports:
                use(by_module.get((module, name)), where)
            for thing in by_member[name]:
                use(thing, where)
        for text, where in source.texts:
            module, colon, own = text.partition(":")
            use(by_module.get((module, own)) if colon else None, where)
    for thing in things:
        if thing.name.rpartition(".")[2] in promised:
            thing.users.add("mmcli")

    roots = {*trees, "mmcli"}
    alive: set[str] = set()
    while newly := {t.name for t in things if t.name not in alive and t.users & (alive | roots)}:
        alive |= newly
    gone = {t.name for t in things if t.name not in alive}
    gone |= {t.name for t in things if t.name.rpartition(".")[0] in gone}
    imported = {
        name for source in sources for name in (*source.imports, *(n.rpartition(".")[0] for n, _ in source.taken))
    }
    named = {text.partition(":")[0] for source in sources for text, _ in source.texts}
    named |= {word for source in sources for text, _ in source.texts for word in re.findall(r"mmcli(?:\.\w+)+", text)}
    for module in trees:
        packages = any(other.startswith(f"{module}.") for other in trees)
        if not (packages or in_family(module) or module in imported | named or module == "mmcli.__main__"):
            gone.add(module)
    return sorted(gone)


def offered_to_outsiders() -> str:
    return "\n".join(p.read_text() for p in (ROOT / "README.md", *sorted((PRODUCT / "docs").glob("*.md"))))


def test_everything_public_is_used():
    unused = dead(ROOT, offered_to_outsiders())

    assert [name for name in unused if name not in ALLOWED] == []
    assert set(ALLOWED) <= set(unused), "what is used needs no reason"


def test_what_is_not_used_is_seen(tmp_path):
    package = tmp_path / "mmcli"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text("from mmcli import kept\n\nkept.used()\nkept.Thing().act()\n")
    (package / "kept.py").write_text(
        "def used():\n    return 1\n\n\ndef unused():\n    return helper()\n\n\ndef helper():\n    return unused()\n"
        "\n\nclass Thing:\n    def act(self):\n        return 2\n\n    def rest(self):\n        return 3\n"
    )
    (package / "alone.py").write_text("X = 1\n")

    assert dead(tmp_path, "") == [
        "mmcli.alone",
        "mmcli.kept.Thing.rest",
        "mmcli.kept.helper",
        "mmcli.kept.unused",
    ]
    # What is promised is used, and so is what it uses.
    assert dead(tmp_path, "see `kept.unused`") == ["mmcli.alone", "mmcli.kept.Thing.rest"]
