"""The functions and objects of Python as a page, read out of the source: nothing is imported to show it."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import resources
from typing import Any

import mmcli

# What a caller gets back, by the file that holds it; of each the methods that stand in it.
OBJECTS = {
    "Model": "api/model.py",
    "Answers": "api/model.py",
    "Report": "api/report.py",
    "Alignment": "artifacts/formats/alignment.py",
    "TimeMap": "artifacts/formats/timemap.py",
    "Features": "artifacts/formats/features.py",
    "Dataset": "artifacts/formats/dataset.py",
}
_ROLE = re.compile(r":\w+:`[.~]?(?:[\w.]*\.)?(\w+)`")


def page() -> str:
    """The page in Markdown: the functions of `import mmcli` first, then what they give."""
    parts = [
        "# Functions and objects",
        "What `import mmcli` offers, by its docstrings. Examples: [mmcli from Python](python.md).",
    ]
    for name, file in sorted(mmcli.FUNCTIONS.items()):
        node = _named(_tree(f"api/{file}.py"), name)
        parts += [f"## mmcli.{name}", f"```text\nmmcli.{_signature(node)}\n```", *_written(node)]
    for name, file in OBJECTS.items():
        node = _named(_tree(file), name)
        parts += [f"## {name}", *_written(node)]
        for method in _methods(node):
            parts += [f"### {name}.{method.name}", f"```text\n{_signature(method)}\n```", *_written(method)]
    return "\n\n".join(parts) + "\n"


def _tree(file: str) -> ast.Module:
    return ast.parse((resources.files("mmcli") / file).read_text(encoding="utf-8"))


def _named(tree: ast.Module, name: str) -> Any:
    return next(node for node in tree.body if getattr(node, "name", None) == name)


def _methods(node: Any) -> Iterator[Any]:
    for inner in node.body:
        if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_") and ast.get_docstring(inner):
            yield inner


def _signature(node: Any) -> str:
    """The call, a line a parameter where it is long."""
    arguments = ast.unparse(node.args).removeprefix("self").removeprefix("cls").removeprefix(", ")
    gives = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    line = f"{node.name}({arguments}){gives}"
    if len(line) <= 80:
        return line
    listed = "".join(f"    {part},\n" for part in re.split(r", (?![^\[(]*[\])])", arguments))
    return f"{node.name}(\n{listed}){gives}"


def _written(node: Any) -> list[str]:
    """A docstring as Markdown: its examples as code, names as code.

    >>> _written(ast.parse('def f():\\n    "Gives :class:`a.B` of ``x``.\\\\n\\\\n    >>> 1\\\\n    1"').body[0])
    ['Gives `B` of `x`.', '```python\\n>>> 1\\n1\\n```']
    """
    text = inspect.cleandoc(ast.get_docstring(node) or "")
    blocks = []
    for block in re.split(r"\n\s*\n", text):
        if block.lstrip().startswith(">>>"):
            blocks.append(f"```python\n{block}\n```")
        else:
            blocks.append(_ROLE.sub(r"`\1`", block).replace("``", "`").replace("<", "&lt;"))
    return [block for block in blocks if block]
