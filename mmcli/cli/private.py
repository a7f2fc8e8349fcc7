"""``mmcli train --private``: the options translated, the model trained and written, its cost said."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from mmcli.cli import console, given, progress
from mmcli.cli.options import configure
from mmcli.errors import MmcliError, UsageError

Private = Annotated[
    str | None,
    typer.Option(
        "--private",
        metavar="epsilon=E,delta=D[,...]",
        help="Differential privacy (DP-SGD); unit=group protects whole groups; also steps, rate, clip, learning, low, "
        "high. Full batches up to 20,000 items. The operating system seeds the noise: no two runs give the same bytes.",
    ),
]
PublicFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--public", metavar="FILE", help="With --private: this model, data set or fitted state is public. Repeatable."
    ),
]
Items = Annotated[
    int | None,
    typer.Option(
        "--items",
        metavar="N",
        min=1,
        help="With --private: about how many items (groups) there are is public, N. [default: counted, with noise]",
    ),
]
Budget = Annotated[
    str | None,
    typer.Option(
        "--budget",
        metavar="epsilon=E[,delta=D]",
        help="With --private: what all releases of DATASET may cost together; its ledger holds them to it.",
    ),
]
Audit = Annotated[
    bool,
    typer.Option("--audit", help="With --private: test noise, clipping and sampling of this training, write no model."),
]
Clients = Annotated[
    str | None,
    typer.Option(
        "--clients",
        metavar="group",
        help="With --private: federated averaging over the groups, simulated here; under torchrun in its processes.",
    ),
]


def refuse_alone(**options: Any) -> None:
    """Raises :class:`UsageError` for an option that means nothing without ``--private``."""
    for name, value in options.items():
        if value:
            raise UsageError(f"--{name} is for private training", hint="add --private epsilon=3,delta=1e-5")


def train(
    dataset: Path,
    output: Path,
    config: Any,
    text: str,
    *,
    public: list[Path] | None,
    items: int | None,
    budget: str | None,
    clients: str | None,
    init: Path | None,
    audit: bool,
    dry_run: bool,
    json: bool,
) -> None:
    """Everything that ``mmcli train`` does under ``--private``, once the options that leak are refused."""
    from mmcli.training.fit import initial
    from mmcli.training.private import ledger, release
    from mmcli.training.private.leaks import Public

    if str(dataset) == "-":
        raise UsageError("--private keeps a ledger beside the data set, which standard input has no place for")
    private = settings(text, clients)
    held = None if budget is None else ledger.parse(budget)
    for path in public or []:
        if path.exists() and path.samefile(dataset):
            raise UsageError("the data set that is to be protected cannot be --public", source=path)
    if init is not None and not any(p.exists() and init.exists() and p.samefile(init) for p in public or []):
        raise UsageError(
            "the weights of --init may have been trained on these rows",
            hint=f"if they were trained elsewhere, say so: --public {init}",
        )
    declared = Public(public or [])
    data = given.load(dataset)
    if audit or dry_run:
        _plan_or_audit(data, config, private, declared, items, audit, clients is not None, json)
        return
    start = None if init is None else initial.load(init)
    with progress.bar("train", None, "steps") as bar:
        trained, warnings = release.train(
            data,
            config,
            private,
            output,
            source=dataset,
            public=declared,
            declared=items,
            budget=held,
            initial=start,
            federated=clients is not None,
            report=lambda step: bar.advance(1),
        )
    if int(os.environ.get("RANK", "0")):
        return  # of several processes one speaks
    facts = trained.config["privacy"]
    console.say(
        f"{output}: {trained.config['task']}, {', '.join(trained.config['modalities'])}; "
        f"{trained.config['training']['parameters']:,} parameters; {summary(facts)}"
    )
    for line in warnings:
        console.warn(line)
    if json:
        console.emit(
            {"schema": "mmcli/train@1", "output": str(output), "task": trained.config["task"], "privacy": facts}
        )


def settings(text: str, clients: str | None) -> Any:
    """The :class:`PrivateConfig` of ``epsilon=3,delta=1e-5,unit=group``."""
    from mmcli.training.private.ledger import PrivateConfig

    values: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not equals or name.strip() in values:
            raise UsageError(f"--private {text!r}: {part!r} is not NAME=VALUE, once", hint="epsilon=3,delta=1e-5")
        values[name.strip()] = value.strip()
    if clients is not None:
        if clients != "group":
            raise UsageError(
                f"--clients {clients!r}: the data set knows one such column, group", hint="--clients group"
            )
        if values.setdefault("unit", "group") != "group":
            raise UsageError("a client is a group, and what is protected is the client", hint="leave out unit=item")
    private = configure(PrivateConfig, values, "private")
    if clients is None and {"local", "step"} & values.keys():
        raise UsageError("private.local and private.step are for --clients")
    return private


def summary(facts: dict[str, Any]) -> str:
    """What a model's privacy is, in one sentence for people.

    >>> summary({"epsilon": 3.0, "delta": 1e-5, "unit": "item", "noise": 9.93, "rate": 1.0, "steps": 50})
    'epsilon 3 at delta 1e-05 for each item (noise 9.93, 50 steps over everything)'
    """
    how = "over everything" if facts["rate"] >= 1 else f"of {100 * facts['rate']:.3g} % each"
    return (
        f"epsilon {facts['epsilon']:.4g} at delta {facts['delta']:g} for each {facts['unit']} "
        f"(noise {facts['noise']:.4g}, {facts['steps']} steps {how})"
    )


def _plan_or_audit(
    data: Any, config: Any, private: Any, declared: Any, items: int | None, audit: bool, federated: bool, json: bool
) -> None:
    """Neither looks at a value of the data set: only at its streams' shapes, and the number that is public."""
    from mmcli.training.private import leaks, steps

    data, told, beside = leaks.cleared(data, config, declared)
    if items is None:
        raise UsageError("nothing is counted before it is paid for", hint="say about how many items there are: --items")
    schedule, _ = steps.scheduled(private, items, items, config.fusion == steps.LINEAR, beside)
    if not audit:
        plan = {"schema": "mmcli/train-plan@1", "schedule": dataclasses.asdict(schedule), "public": told}
        console.say(
            f"noise {schedule.noise:.4g}, {schedule.steps} steps at rate {schedule.rate:g}, sums divided by "
            f"{schedule.divisor:,.0f}; public: {'; '.join(told)}"
        )
        if json:
            console.emit(plan)
        return
    if federated:
        raise UsageError("--audit tests the steps of one training, not of clients", hint="leave --clients out")
    from mmcli.training.private import audit as auditing

    outcome = auditing.audit(data, config, private, schedule)
    rows = [
        (check["name"], check["found"], check["wanted"], "ok" if check["ok"] else "FAILS")
        for check in outcome["checks"]
    ]
    console.table("audit of this training on made items", ["check", "found", "wanted", ""], rows)
    for line in outcome["limits"]:
        console.say(line)
    if json:
        console.emit({"schema": "mmcli/audit@1", **outcome})
    failed = [check["name"] for check in outcome["checks"] if not check["ok"]]
    if failed:
        raise MmcliError(
            f"the training does not keep what it says: {', '.join(failed)}", hint="give no model of this version away"
        )
