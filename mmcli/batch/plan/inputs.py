"""What the command line names, as items: files, folders and manifests become rows with one cell a modality."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mmcli.artifacts import foreign
from mmcli.artifacts.formats import manifest, manifest_foreign, manifest_lines
from mmcli.artifacts.io import provenance, remote
from mmcli.batch.plan import items as making
from mmcli.batch.plan.items import Cell, Item
from mmcli.errors import InputError, MediaError, MissingError, MmcliError, UsageError
from mmcli.media.door import SUFFIXES, modality_of
from mmcli.media.intervals import Interval

_MANIFESTS = (".jsonl", ".ndjson", ".parquet")
_ARRAYS = (".npz", ".npy")
_OURS = {"mmcli/features@1": "features", "mmcli/dataset@1": "a data set"}


@dataclass
class Gathered:
    """Items in order, and what was passed over in folders."""

    items: list[Item]
    ignored: list[str]


def gather(inputs: Sequence[str | Path], modality: str = "auto", leave_out: Path | None = None) -> Gathered:
    """The items of all inputs.

    ``modality`` other than ``auto`` reads named files as that modality and passes over other files in folders.
    ``leave_out`` is a folder that is not looked into: the output.

    What cannot be an item (a name, a second file of one kind, a row) costs itself: its item is refused. Raises the
    reason where nothing else is left: :class:`MissingError` for an input that is not there, :class:`UsageError` where
    two files claim one place, what is wrong with a manifest.
    """
    sources = _Sources(modality, leave_out)
    for given in inputs:
        try:
            sources.add(given)
        except MmcliError as error:
            if len(inputs) == 1:
                raise
            sources.refused.append(making.refused(Item(Path(given).stem, ()), error))
    items = making.distinct(sources.items())
    making.refuse_where_none_is_left(items)
    return Gathered(items, sources.ignored)


class _Sources:
    """What the inputs hold, as it is met: loose files, which join by their ids, rows of manifests, refused ones."""

    def __init__(self, modality: str, leave_out: Path | None) -> None:
        self.modality, self.leave_out = modality, leave_out
        self.loose: dict[str, dict[str, Cell]] = {}
        self.rows: list[Item] = []
        self.refused: list[Item] = []
        self.ignored: list[str] = []

    def add(self, given: str | Path) -> None:
        """One input of the command line. Raises what is wrong with it as a whole."""
        path, text = Path(given), str(given)
        if text == "-":
            self.rows.extend(list(_rows("-")))
        elif remote.is_url(text):
            if text.lower().endswith((*_MANIFESTS, ".csv")) and self.modality != "series":
                self.rows.extend(list(_far_rows(text)))
                return
            for identifier, cell in _far_files(text, self.modality, self.ignored):
                self._place(identifier, cell)
        elif manifest_foreign.takes(path):
            self.rows.extend(list(_rows(path)))
        elif path.is_dir():
            for identifier, cell in _folder(path, self.modality, self.leave_out, self.ignored):
                self._place(identifier, cell)
        elif is_manifest(path, self.modality):
            self.rows.extend(list(_rows(path)))
        else:
            self._place(path.stem, _cell(path, self.modality))

    def items(self) -> list[Item]:
        """Loose files first, then rows, then what is refused."""
        items = [Item(identifier, tuple(cells.values())) for identifier, cells in self.loose.items()]
        return [*items, *(_only(row, self.modality) for row in self.rows), *self.refused]

    def _place(self, identifier: str, cell: Cell) -> None:
        cells = self.loose.setdefault(identifier, {})
        first = cells.setdefault(cell.column, cell)
        if first is not cell:
            problem = UsageError(
                f"{first.path} and {cell.path} are both the {cell.column} of item {identifier!r}",
                source=cell.path,
                hint="rename one of them, or name the items in a manifest",
            )
            self.refused.append(making.refused(Item(identifier, (cell,)), problem))


def is_manifest(path: Path, modality: str = "auto") -> bool:
    """NDJSON files are manifests; csv and tsv files are where their first line has a column ``id``, whatever parts the
    columns, in UTF-8 or UTF-16."""
    suffix = path.suffix.lower()
    if suffix in _MANIFESTS:
        return True
    if suffix not in (".csv", ".tsv") or modality == "series":
        return False
    try:
        with path.open("rb") as file:
            first = file.read(1 << 16)
    except OSError:
        return False
    return "id" in manifest_lines.titles(first)


def _cell(path: Path, modality: str) -> Cell:
    """A file that was named on the command line."""
    if not path.exists():
        raise MissingError("no such file or folder", source=path)
    if modality == "table":
        raise UsageError("tables come as columns num.NAME and cat.NAME of a manifest", source=path)
    kind = SUFFIXES.get(path.suffix.lower())
    if kind in (None, "video") or path.suffix.lower() == ".npz":
        kind = modality_of(path)
    if kind == "features" and modality == "auto":
        from mmcli.artifacts.formats import inspect

        schema = inspect.validate(path)["schema"]  # a damaged one, or another program's, is refused as what it is
        raise UsageError(f"holds {_OURS.get(schema, schema)} already", source=path)
    return _as(str(path), kind, modality, status_of(str(path)))


def _as(path: str, kind: str, modality: str, facts: tuple[int, int] | None) -> Cell:
    if modality == "audio" and kind == "video":
        return Cell("video", "video", path, facts)
    wanted = kind if modality == "auto" else modality
    if wanted == "text" and kind == "subtitle":
        wanted = "subtitle"
    return Cell("text" if wanted == "subtitle" else wanted, wanted, path, facts)


def _far_files(url: str, modality: str, ignored: list[str]) -> Iterator[tuple[str, Cell]]:
    """The objects at or below a URL, known by the ends of their names."""
    for one, facts in remote.listing(url).items():
        alone = one == url
        name = one.rpartition("/")[2] if alone else one[len(url.rstrip("/")) + 1 :]
        kind = SUFFIXES.get(os.path.splitext(name)[1].lower())  # noqa: PTH122
        if kind is None or kind == "features" or not _welcome(kind, modality):
            if alone:
                raise UsageError(
                    f"cannot be read as {modality}: objects are known by the ends of their names", source=url
                )
            ignored.append(one)
        elif not any(part.startswith(".") for part in name.split("/")):
            yield os.path.splitext(name)[0], _as(one, kind, modality, facts)  # noqa: PTH122


def _far_rows(url: str) -> Iterator[Item]:
    data = remote.read(url)
    if data is None:
        raise MissingError("no such object", source=url)
    folder, _, name = url.rpartition("/")
    yield from _items(manifest.loads(data, name, lenient=True), _Far(folder))


class _Far:
    """The folder of a manifest in a store, listed once."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.facts = remote.listing(url)

    def file(self, value: str) -> tuple[str, tuple[int, int] | None, int | None]:
        """As :meth:`_Root.file`."""
        text, row = manifest.split_row(value)
        problem = manifest.path_problem(text)
        if problem is not None:
            raise InputError(f"{text!r} cannot be a path here: it {problem}", source=self.url)
        path = remote.join(self.url, text)
        return path, self.facts.get(path), row


def _folder(folder: Path, modality: str, leave_out: Path | None, ignored: list[str]) -> Iterator[tuple[str, Cell]]:
    outside = leave_out.resolve() if leave_out is not None else None
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(
            f for f in folders if not f.startswith(".") and (outside is None or Path(parent, f).resolve() != outside)
        )
        here = Path(parent)  # once a folder: files are text, of which there are 100,000
        path_of = "" if here == Path() else f"{here}/".replace("//", "/")
        ignored[:0] = [f"{here / f}, a link to a folder" for f in folders if (here / f).is_symlink()]
        id_of = "" if here == folder else f"{here.relative_to(folder).as_posix()}/"
        for name in sorted(names):
            if name.startswith("."):
                continue
            path = path_of + name
            stem, suffix = os.path.splitext(name)  # noqa: PTH122
            if suffix == ".":  # a dot at the end begins no suffix
                stem, suffix = name, ""
            kind = SUFFIXES.get(suffix.lower())
            if kind in (None, "video") or suffix.lower() == ".npz":  # an mp4 may hold sound alone
                with contextlib.suppress(MediaError, MissingError):  # damaged: what its name says, to be counted
                    kind = modality_of(path)
            if kind is None or kind == "features" or not _welcome(kind, modality):
                ignored.append(path)
                continue
            yield id_of + stem, _as(path, kind, modality, status_of(path))


def _welcome(kind: str, modality: str) -> bool:
    if modality == "auto" or kind == modality:
        return True
    return (modality, kind) in {("audio", "video"), ("text", "subtitle")}


def _rows(source: Path | str) -> Iterator[Item]:
    loaded = manifest.load(source, lenient=True, kinds=SUFFIXES)
    yield from _items(loaded, _Root(loaded.root))


def _items(content: manifest.Manifest, root: _Root | _Far) -> Iterator[Item]:
    for row in content.rows:
        bare = _item(row, ())
        why = content.refused.get(row.id)
        try:
            yield _item(row, tuple(_cells(row.cells, root, row.id))) if why is None else making.refused(bare, why)
        except MmcliError as error:
            yield making.refused(bare, error)


def _item(row: manifest.Row, cells: tuple[Cell, ...]) -> Item:
    return Item(row.id, cells, row.split, row.label, row.group, row.start, row.end, row.error, row.extra)


def reading_rows(root: Path) -> Callable[[manifest.Row], Item]:
    """What makes the item of a row, one row at a time, with its paths below ``root``. It raises InputError."""
    folder = _Root(root)
    return lambda row: _item(row, tuple(_cells(row.cells, folder, row.id)))


class _Root:
    """The folder of a manifest. A file in a folder that was looked at before costs one call of the system."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.confined: set[str] = set()

    def file(self, value: str) -> tuple[str, tuple[int, int] | None, int | None]:
        """Path, facts and row of what a cell names, confined below the root. Raises InputError."""
        text, row = manifest.split_row(value)
        folder = text.rpartition("/")[0]
        path = os.path.join(self.root, text)  # noqa: PTH118 - 100,000 times
        if folder not in self.confined or manifest.path_problem(text) is not None:
            manifest.resolve(self.root, value)
            manifest.resolve(self.root, f"{folder}/." if folder else ".")
            self.confined.add(folder)
        try:
            status = os.lstat(path)
        except OSError:
            return path, None, row
        if stat.S_ISLNK(status.st_mode):
            manifest.resolve(self.root, value)
            return path, status_of(path), row
        return path, (status.st_size, status.st_mtime_ns), row


def status_of(path: str) -> tuple[int, int] | None:
    """Size and mtime_ns of a file, links followed; None where there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116 - 100,000 times
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _cells(written: dict[str, str], root: _Root | _Far, identifier: str) -> Iterator[Cell]:
    numbers: dict[str, str] = {}
    categories: dict[str, str] = {}
    columns: set[str] = set()
    for column, value in written.items():
        kind, _, name = column.partition(".")
        if kind in ("num", "cat"):
            # An empty cell is known to be missing: the column exists.
            (numbers if kind == "num" else categories)[name] = value
            continue
        if not value:
            continue
        cell = _written(column, kind, name, value, root)
        if cell.column in columns:
            raise UsageError(f"item {identifier!r} has both text and text_value", hint="leave one of them empty")
        columns.add(cell.column)
        yield cell
    if any((numbers | categories).values()):
        yield Cell("table", "table", numbers=numbers, categories=categories)


def _written(column: str, kind: str, name: str, value: str, root: _Root | _Far) -> Cell:
    if kind == "text_value":
        return Cell("text" + ("." + name if name else ""), "text", text=value)
    path, facts, row = root.file(value)
    suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122 - 100,000 times
    member = manifest.member_of(value)
    if row is not None and member is not None and suffix in foreign.SUFFIXES and facts is not None:
        if kind == "table" or not foreign.holds_file(Path(path), member, row):
            return Cell(column, "features", path, facts, row, member)
        ending = "." + member.rpartition(".")[2].lower()
        modality = "subtitle" if kind == "text" and SUFFIXES.get(ending) == "subtitle" else kind
        return Cell(column, modality, path, facts, row, member, packed=True)
    modality = kind
    if kind == "table" or (kind not in ("series", "map") and (row is not None or suffix in _ARRAYS)):
        modality = "features"
    elif kind == "series" and row is None and suffix == ".npz" and facts is not None and not remote.is_url(path):
        modality = "features" if modality_of(path) == "features" else "series"
    elif kind == "text" and SUFFIXES.get(suffix) == "subtitle":
        modality = "subtitle"
    return Cell(column, modality, path, facts, row, member)


def _only(item: Item, modality: str) -> Item:
    """The item with the cells that a chosen modality uses."""
    if modality == "auto":
        return item

    def kept(cell: Cell) -> bool:
        kind = cell.column.partition(".")[0]
        return kind == modality or cell.modality == "map" or (modality == "audio" and kind == "video")

    return replace(item, cells=tuple(c for c in item.cells if kept(c)))


def missing(items: Iterable[Item]) -> Iterator[tuple[Item, Cell]]:
    """The cells whose file is not there."""
    for item in items:
        for cell in item.cells:
            if cell.path is not None and cell.facts is None:
                yield item, cell


def listed(source: str, *, nul: bool = False) -> list[str]:
    """The paths in a list, one a line or with ``nul`` one between NULs; ``-`` reads standard input."""
    data = provenance.read_bytes(source, 1 << 30)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError("is no list of paths in UTF-8", source=provenance.named(source)) from None
    return [path for path in (text.split("\0") if nul else text.splitlines()) if path]


# The intervals of an annotation as items: pieces of one recording, each with its label.


def cut(item: Item, intervals: list[Interval]) -> list[Item]:
    """An item in pieces: ``ID/0001`` and so on, each with its interval and label, all of one group."""
    width = max(4, len(str(len(intervals))))
    return [
        replace(
            item,
            id=f"{item.id}/{number:0{width}d}",
            start=start,
            end=end,
            label=label,
            group=item.group or item.id,
        )
        for number, (start, end, label) in enumerate(intervals, start=1)
    ]
