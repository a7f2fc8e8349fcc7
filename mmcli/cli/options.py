"""Options that commands share, written once, and the translation of text into configurations.

A command is a plain function with annotated parameters under ``@command``, which adds the common options, reads
``--config FILE.toml`` and answers ``--print-config``.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
import re
import tomllib
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from mmcli.cli import console
from mmcli.errors import InputError, MissingError, UsageError
from mmcli.registry import nearest

Jobs = Annotated[
    int | None,
    typer.Option("--jobs", min=1, metavar="N", help="Worker processes. [default: the processors this process may use]"),
]
Seed = Annotated[int, typer.Option("--seed", metavar="S", help="Fixes every random choice.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME.FIELD=VALUE", help="Set a field of a method's configuration. Repeatable."),
]


def gaps(value: str) -> str:
    """What becomes of gaps in a series, as it stands; raises :class:`UsageError` for a word that is not known."""
    if value not in ("refuse", "interpolate"):
        raise UsageError(f"--missing {value!r}", hint="refuse or interpolate")
    return value


def time_unit(value: str | None) -> str | None:
    """The unit of a time column, as it stands; raises :class:`UsageError` for one that is not known."""
    if value not in (None, "s", "ms", "us", "ns"):
        raise UsageError(f"--time-unit {value!r}", hint="s, ms, us or ns")
    return value


TimeUnit = Annotated[
    str | None,
    typer.Option(
        metavar="UNIT",
        callback=time_unit,
        help="Of time columns: s, ms, us, ns. [default: s, refused where plainly not]",
    ),
]

Missing = Annotated[str, typer.Option(metavar="HOW", callback=gaps, help="Gaps in series: refuse or interpolate.")]


def completing(kind: str, *more: str, modality: str = "") -> Callable[[str], list[str]]:
    """What completes an option's value: names of a kind (extractors: of one modality), of several the last one.

    >>> completing("blocks", "auto")("la"), completing("extractors", modality="audio")("rms,log")
    (['late'], ['rms,logmel'])
    """

    def offered(incomplete: str) -> list[str]:
        from mmcli.cli.kinds import registries

        before, comma, last = incomplete.rpartition(",")
        known = [
            *more,
            *(n for registry, prefix in registries(kind) if prefix in ("", f"{modality}.") for n in registry.names()),
        ]
        return [f"{before}{comma}{name}" for name in known if name.startswith(last)]

    return offered


# ``--config FILE.toml`` and ``--print-config``.
#
# A file has one table per command, its keys the long options; the table ``set`` below it holds the fields of methods::
#
#     [extract]
#     audio = "logmel,mfcc"
#     jobs = 2
#     [extract.set.logmel]
#     hop_s = 0.01
#
# Flags on the command line win. An unknown key is an error that names the nearest one.


def from_file(context: typer.Context, path: Path | None) -> Path | None:
    """The callback of ``--config``: what the file says becomes the defaults of the other options."""
    if path is None or context.resilient_parsing:
        return path
    name = str(context.info_name)
    section = _file(path).get(name, {})
    known = {(p.name or "").rstrip("_"): p for p in context.command.params if p.name not in ("config", "print_config")}
    defaults: dict[str, Any] = {}
    for key, value in section.items():
        option = key.replace("-", "_")
        if option == "set" and "set" in known:
            defaults["set_"] = list(_assignments(value))
        elif option in known:
            many = known[option].multiple if hasattr(known[option], "multiple") else False
            defaults[str(known[option].name)] = [str(v) for v in value] if many and isinstance(value, list) else value
        else:
            offers = [k.replace("_", "-") for k in known]
            raise UsageError(f"unknown key {key!r} in table [{name}]", source=path, hint=nearest(key, offers))
    context.default_map = {**(context.default_map or {}), **defaults}
    return path


def _file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        raise MissingError("no such file", source=path) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", source=path) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"is not TOML: {error}", source=path) from error


def as_toml(command: str, values: dict[str, Any], configs: dict[str, Any]) -> str:
    """The options in force as TOML that ``--config`` reads back; ``configs`` are dataclasses by method name."""
    import tomli_w

    names = {parameter: parameter.rstrip("_").replace("_", "-") for parameter in values}
    table: dict[str, Any] = {names[k]: _toml(v) for k, v in values.items() if names[k] != "set" and v not in (None, [])}
    methods = {method: dataclasses.asdict(config) for method, config in configs.items()}
    if methods:
        table["set"] = {m: {k: _toml(v) for k, v in fields.items() if v is not None} for m, fields in methods.items()}
    return tomli_w.dumps({command: table}).rstrip("\n")


def _toml(value: object) -> object:
    if isinstance(value, list | tuple):
        return [_toml(item) for item in value]
    return value if isinstance(value, bool | int | float) else str(value)


def _assignments(table: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """``METHOD.FIELD=VALUE`` of a table of methods; ``[set.series.raw]`` and ``[set."series.raw"]`` are the same."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _assignments(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}={_plain(value)}"


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ",".join(_plain(v) for v in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


_COMMON: dict[str, tuple[Any, Any]] = {
    "quiet": (
        Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but warnings and errors.")],
        False,
    ),
    "verbose": (Annotated[bool, typer.Option("-v", "--verbose", help="Say more.")], False),
    "config": (
        Annotated[
            Path | None,
            typer.Option(
                "--config",
                metavar="FILE.toml",
                help="Read options from the table named like the command. Flags win.",
                is_eager=True,
                callback=from_file,
            ),
        ],
        None,
    ),
    "print_config": (
        Annotated[bool, typer.Option("--print-config", help="Print the options in force as TOML and stop.")],
        False,
    ),
    "debug": (Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")], False),
}

Configs = Callable[[dict[str, Any]], dict[str, Any]]


def command(
    configs: Configs | None = None, fields: type[Any] | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function a command: the common options are added to its own.

    A parameter whose name would hide a builtin carries an underscore at its end (``set_``). ``configs`` maps the
    command's parameters to the configurations of the methods in force ({name: dataclass}), which ``--print-config``
    prints beside the options. ``fields``: a dataclass whose fields are the parameters; the function is given one of it.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(function, eval_str=True) if fields is None else _fields(fields)
        added = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for name, (annotation, default) in _COMMON.items()
        ]
        own = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in signature.parameters.values()]

        @functools.wraps(function)
        def wrapper(**values: Any) -> None:
            common = {name: values.pop(name) for name in _COMMON}
            console.settings.quiet = common["quiet"]
            console.settings.verbose = int(common["verbose"])
            console.settings.debug = common["debug"]
            if common["print_config"]:
                in_force = configs(values) if configs else {}
                console.data(as_toml(function.__module__.split(".")[2], values, in_force))
                return
            if fields is None:
                function(**values)
            else:
                function(fields(**values))

        wrapper.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
        wrapper.__annotations__ = {p.name: p.annotation for p in [*own, *added]}
        del wrapper.__wrapped__
        return wrapper

    return decorate


C = TypeVar("C")


def _fields(kind: type[Any]) -> inspect.Signature:
    """The fields of a dataclass as the parameters of a command."""
    hints = typing.get_type_hints(kind, include_extras=True)
    parameters = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in dataclasses.fields(kind)
    ]
    return inspect.Signature(parameters)


# ``NAME.FIELD=VALUE`` on the command line becomes a typed field of a configuration dataclass.


def split(assignments: Iterable[str] | None) -> dict[str, dict[str, str]]:
    """Group assignments by method name.

    >>> split(["logmel.hop_s=0.01", "logmel.bands=40"])
    {'logmel': {'hop_s': '0.01', 'bands': '40'}}
    """
    assigned: dict[str, dict[str, str]] = {}
    for text in assignments or ():
        name, dot, rest = text.partition("=")[0].rpartition(".")
        if "=" not in text or not dot or not name or not rest:
            raise UsageError(f"--set {text!r} is not NAME.FIELD=VALUE", hint="for example --set logmel.hop_s=0.01")
        assigned.setdefault(name, {})[rest] = text.partition("=")[2]
    return assigned


def configure(kind: type[C], fields: dict[str, str] | None, name: str) -> C:
    """The configuration of method ``name`` with the given fields set, every value read as its field's type.

    Raises :class:`UsageError` for an unknown field, naming the nearest, and for a value of the wrong type.
    """
    hints = typing.get_type_hints(kind)
    known = [f.name for f in dataclasses.fields(kind)]  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for field, text in (fields or {}).items():
        if field not in known:
            raise UsageError(f"{name} has no field {field!r}", hint=nearest(field, known))
        values[field] = _read(text, hints[field], f"{name}.{field}")
    return kind(**values)


def refuse_unused(assigned: dict[str, dict[str, str]], used: Iterable[str]) -> None:
    """An assignment to a method that is not in use is a mistake, not a wish."""
    used = sorted(used)
    for name in assigned:
        if name not in used:
            raise UsageError(f"--set {name}.*: {name!r} is not in use here", hint=nearest(name, used) if used else None)


def _read(text: str, hint: Any, where: str) -> Any:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        options = [a for a in typing.get_args(hint) if a is not type(None)]
        if type(None) in typing.get_args(hint) and text.lower() in ("none", ""):
            return None
        for option in options[:-1]:
            try:
                return _read(text, option, where)
            except UsageError:
                continue
        return _read(text, options[-1], where)
    if origin is typing.Literal:
        for option in typing.get_args(hint):
            if text == str(option):
                return option
        raise UsageError(f"{where} = {text!r}", hint="one of: " + ", ".join(map(str, typing.get_args(hint))))
    if origin is tuple:
        inner = typing.get_args(hint)
        parts = [p for p in text.split(",") if p]
        kinds = [inner[0]] * len(parts) if len(inner) == 2 and inner[1] is Ellipsis else list(inner)
        if len(kinds) != len(parts):
            raise UsageError(f"{where} = {text!r}: {len(kinds)} values are needed, separated by commas")
        return tuple(_read(part, kind, where) for part, kind in zip(parts, kinds, strict=True))
    if hint is bool:
        if text.lower() in ("true", "yes", "on", "1"):
            return True
        if text.lower() in ("false", "no", "off", "0"):
            return False
        raise UsageError(f"{where} = {text!r} is not true or false")
    if hint in (int, float):
        try:
            return hint(text)
        except ValueError:
            raise UsageError(f"{where} = {text!r} is not {'a whole number' if hint is int else 'a number'}") from None
    if hint is str:
        return text
    raise UsageError(f"{where} cannot be set from the command line")


# Numbers of bytes as people write them.

_FACTORS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kmg]i?)(b)?|(b)?)", re.IGNORECASE)


def size(text: str, option: str, unit: int = 1, least: float = 0) -> float:
    """What a text such as ``256MB`` means, in units of ``unit`` bytes; a number alone counts these units.

    Units are decimal (kB, MB, GB) or binary (KiB, MiB, GiB), in any case, and their B may be left out. Raises
    :class:`UsageError`, naming the option, for anything else and for less than ``least``.

    >>> size("256MB", "--shard-size"), size("1.5 GiB", "--shard-size"), size("300", "--shard-size")
    (256000000.0, 1610612736.0, 300.0)
    >>> size("1GB", "--memory", unit=10**6), size("512", "--memory", unit=10**6)
    (1000.0, 512.0)
    """
    match = _SIZE.fullmatch(text.strip())
    written = (match[2] or "").lower() if match else ""
    value = math.nan
    if match is not None:
        value = float(match[1]) * (_FACTORS[written] / unit if written or match[3] or match[4] else 1)
    if not least <= value < math.inf:
        alone = {1: "bytes", 10**6: "MB"}[unit]
        raise UsageError(
            f"{option} {text!r} is no size", hint=f"for example {option} 256MB; a number alone means {alone}"
        )
    return value
