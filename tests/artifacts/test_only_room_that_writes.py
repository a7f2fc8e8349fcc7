"""Nothing outside mmcli/artifacts writes a file: it is found by reading the code.

Encoders may write to the temporary path that ``atomic.path`` lends them, inside that block, or where it was handed on:
a parameter named ``lent``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

WRITING_METHODS = {
    *(
        "write_text",
        "write_bytes",
        "mkdir",
        "makedirs",
        "touch",
        "unlink",
        "rename",
        "rmdir",
        "symlink_to",
        "hardlink_to",
    ),
    *("savefig", "tofile", "to_csv", "imsave", "imwrite", "savetxt", "savez", "savez_compressed"),
}
WRITING_CALLS = {
    *("np.save", "numpy.save", "torch.save", "json.dump", "pickle.dump", "soundfile.write", "sf.write"),
    *("os.replace", "os.remove", "os.truncate", "os.link", "os.symlink", "os.ftruncate"),
    *("shutil.copy", "shutil.copyfile", "shutil.copy2", "shutil.copytree", "shutil.move", "shutil.rmtree"),
    *("tempfile.mkstemp", "tempfile.NamedTemporaryFile", "tempfile.TemporaryFile", "tempfile.mkdtemp"),
}
WRITING_MODES = set("wax+")
LENDERS = {"atomic.path", "atomic.writer"}


def dotted(node: ast.expr) -> str:
    """``a.b.c`` for an attribute chain, else what can be said of it."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def writes(source: str) -> Iterator[tuple[int, str]]:
    """Line and wording of every call that writes files, outside blocks of ``atomic.path`` and ``atomic.writer``."""
    tree = ast.parse(source)
    memory = {
        dotted(node.targets[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and ast.unparse(node.value) in ("io.StringIO()", "io.BytesIO()")
    }

    def visit(node: ast.AST, lent: bool) -> Iterator[tuple[int, str]]:
        if isinstance(node, ast.With):
            calls = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
            lent = lent or any(dotted(call.func) in LENDERS for call in calls)
        if isinstance(node, ast.FunctionDef):
            lent = lent or any(arg.arg == "lent" for arg in node.args.args)
        if isinstance(node, ast.Call) and not lent and _writes(node) and memory.isdisjoint(map(dotted, node.args)):
            yield node.lineno, ast.unparse(node)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, lent)

    yield from visit(tree, False)


def _writes(call: ast.Call) -> bool:
    name, text = dotted(call.func), ast.unparse(call)
    if name in WRITING_CALLS or name.rpartition(".")[2] in WRITING_METHODS:
        return not (isinstance(call.func, ast.Attribute) and dotted(call.func.value) == "atomic")
    if name == "os.open":
        return any(flag in text for flag in ("O_CREAT", "O_WRONLY", "O_RDWR")) and "os.devnull" not in text
    if name.rpartition(".")[2] != "open":
        return False
    position = 0 if isinstance(call.func, ast.Attribute) and not name.startswith(("av.", "io.", "gzip.")) else 1
    modes = [keyword.value for keyword in call.keywords if keyword.arg == "mode"] or call.args[position : position + 1]
    return any(isinstance(mode, ast.Constant) and _is_mode(str(mode.value)) for mode in modes)


def _is_mode(text: str) -> bool:
    return len(text) <= 3 and set(text) <= set("rwaxbt+") and bool(set(text) & WRITING_MODES)


def test_nothing_outside_artifacts_writes(root: Path) -> None:
    found = [
        f"{file.relative_to(root)}:{line}: {call[:100]}"
        for file in sorted((root / "mmcli").rglob("*.py"))
        if (root / "mmcli" / "artifacts") not in file.parents
        for line, call in writes(file.read_text(encoding="utf-8"))
    ]

    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "open(path, 'w')",
        "open(path, mode='ab')",
        "path.open('x')",
        "Path(p).open('r+b')",
        "io.open(p, 'wb')",
        "av.open(p, 'w')",
        "av.open(p, mode='w')",
        "np.savez(f, a=a)",
        "np.save(p, a)",
        "torch.save(x, p)",
        "json.dump(x, f)",
        "path.write_text('x')",
        "figure.savefig(p)",
        "p.mkdir()",
        "os.open(p, os.O_CREAT | os.O_WRONLY)",
        "os.replace(a, b)",
        "tempfile.mkstemp()",
        "with atomic.reader(p) as f:\n    open(p, 'w')",
    ],
)
def test_the_finder_finds(code: str) -> None:
    assert list(writes(code))


@pytest.mark.parametrize(
    "code",
    [
        "open(path)",
        "open(path, 'rb')",
        "path.open('rb')",
        "av.open(p, 'r')",
        "av.open('w')",
        "text.replace('a', 'w')",
        "atomic.write_text(p, s)",
        "with atomic.path(p) as tmp:\n    figure.savefig(tmp)",
        "features.save(p, f)",
        "os.open(os.devnull, os.O_WRONLY)",
        "text = io.StringIO()\nfigure.savefig(text)",
    ],
)
def test_the_finder_is_quiet(code: str) -> None:
    assert list(writes(code)) == []
