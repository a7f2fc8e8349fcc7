"""``--config FILE.toml`` and ``--print-config``.

A file has one table per command, its keys the long options; the table ``set`` below it holds the fields of methods::

    [extract]
    audio = "logmel,mfcc"
    jobs = 2
    [extract.set.logmel]
    hop_s = 0.01

Flags on the command line win. An unknown key is an error that names the nearest one.
"""

from __future__ import annotations

import dataclasses
import json
import tomllib
from pathlib import Path
from typing import Any

import typer

from mmcli.errors import InputError, MissingError, UsageError
from mmcli.registry import nearest


def apply(context: typer.Context, path: Path | None) -> Path | None:
    """The callback of ``--config``: what the file says becomes the defaults of the other options."""
    if path is None or context.resilient_parsing:
        return path
    name = str(context.info_name)
    section = _read(path).get(name, {})
    known = {(p.name or "").rstrip("_"): p for p in context.command.params if p.name not in ("config", "print_config")}
    defaults: dict[str, Any] = {}
    for key, value in section.items():
        option = key.replace("-", "_")
        if option == "set" and "set" in known:
            defaults["set_"] = [
                f"{method}.{field}={_plain(v)}" for method, fields in value.items() for field, v in fields.items()
            ]
        elif option in known:
            many = known[option].multiple if hasattr(known[option], "multiple") else False
            defaults[str(known[option].name)] = [str(v) for v in value] if many and isinstance(value, list) else value
        else:
            offers = [k.replace("_", "-") for k in known]
            raise UsageError(f"unknown key {key!r} in table [{name}]", source=path, hint=nearest(key, offers))
    context.default_map = {**(context.default_map or {}), **defaults}
    return path


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        raise MissingError("no such file", source=path) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", source=path) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"is not TOML: {error}", source=path) from error


def render(command: str, values: dict[str, Any], configs: dict[str, Any]) -> str:
    """The options in force as TOML that ``--config`` reads back; ``configs`` are dataclasses by method name."""
    lines = [f"[{command}]"]
    for parameter, value in values.items():
        name = parameter.rstrip("_")
        if value is None or name == "set" or (isinstance(value, list | tuple) and not value):
            continue
        lines.append(f"{name.replace('_', '-')} = {_toml(value)}")
    for method, config in configs.items():
        lines += ["", f"[{command}.set.{method}]"]
        for field in dataclasses.fields(config):
            value = getattr(config, field.name)
            if value is not None:
                lines.append(f"{field.name} = {_toml(value)}")
    return "\n".join(lines)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    return json.dumps(str(value), ensure_ascii=False)


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ",".join(_plain(v) for v in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
