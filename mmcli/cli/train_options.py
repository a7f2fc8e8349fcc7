"""The options of `mmcli train`: what they are called and what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from mmcli.cli import private as privately
from mmcli.cli.options import JsonFlag, Seed, Set, completing
from mmcli.models import blocks, turns
from mmcli.ranking import registry as methods
from mmcli.registry import listed


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """What was asked for."""

    output: Annotated[Path, typer.Option("-o", "--output", metavar="MODEL.pt", help="The model.")]
    dataset: Annotated[
        Path | None, typer.Argument(metavar="DATASET", help="What `mmcli fuse` wrote, npz or folder.")
    ] = None
    task: Annotated[
        str, typer.Option(help="auto, classify, regress, multilabel, rank. auto: by the labels; rank with --events.")
    ] = "auto"
    target: Annotated[
        str, typer.Option(metavar="NAME", help="The manifest's column label.NAME. [default: its column label]")
    ] = ""
    fusion: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"How modalities are joined: {listed(blocks.registry.names(), 'concat')}; auto: an ensemble of "
            "candidates, compared on folds; linear: with --private. [default: concat; linear with --private]",
            autocompletion=completing("blocks", "auto", "linear"),
        ),
    ] = None
    context: Annotated[
        str,
        typer.Option(
            metavar="group",
            help="An item is answered among the others of its group, in their order (a dialogue's turns): the "
            f"manifest's columns group, and order or start. Read by {listed(turns.registry.names(), 'bilstm')} "
            "(--set train.reader=NAME).",
        ),
    ] = ""
    causal: Annotated[bool, typer.Option("--causal", help="--context: no turn sees a later one.")] = False
    modalities: Annotated[
        str | None, typer.Option(metavar="A,B", help="Streams to use. [default: all but `fused`]")
    ] = None
    encoder: Annotated[
        list[str] | None,
        typer.Option(metavar="STREAM=NAME", help="Encoder of a stream. Repeatable. [default: by what it holds]"),
    ] = None
    objective: Annotated[
        str, typer.Option(help="supervised; contrastive: pre-train encoders on pairs, without labels (InfoNCE).")
    ] = "supervised"
    init: Annotated[Path | None, typer.Option(metavar="MODEL.pt", help="Start from the encoders of this model.")] = None
    effort: Annotated[
        str,
        typer.Option(
            help="Of --fusion auto: usual; quick: no networks; thorough: every candidate on every fold, all epochs."
        ),
    ] = "usual"
    trust: Annotated[
        str,
        typer.Option(
            help="Of --fusion auto, what chooses: folds (of the training split), val (the validation split); auto: "
            "folds, unless the validation split shows that they cannot be believed."
        ),
    ] = "auto"
    epochs: Annotated[
        int, typer.Option(metavar="N", help="Passes over the training split, at most; 0: 50, fewer for many items.")
    ] = 0
    seed: Seed = 0
    class_weights: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Rare classes count more: none, inverse, effective (Cui et al. 2019)."),
    ] = None
    sampling: Annotated[
        str | None, typer.Option(metavar="NAME", help="all; balanced: an epoch draws every class equally often.")
    ] = None
    modulation: Annotated[
        float | None,
        typer.Option(metavar="ALPHA", help="OGM-GE (Peng et al. 2022): leading modalities learn slower. 0: off."),
    ] = None
    smoothing: Annotated[
        float | None, typer.Option(metavar="P", help="Label smoothing (Szegedy et al. 2016). [default: 0.05]")
    ] = None
    auxiliary: Annotated[
        float | None,
        typer.Option(metavar="W", help="Weight of each modality's own loss beside the fused one. [default: 0.5]"),
    ] = None
    device: Annotated[str, typer.Option(help="auto, cpu, cuda. auto: CUDA where it is.")] = "auto"
    resume: Annotated[bool, typer.Option("--resume", help="Go on from MODEL.resume.pt if a run was killed.")] = False
    cv: Annotated[
        str | None,
        typer.Option(
            metavar="K|given|FILE",
            help="K folds (classes even, groups together, own scales, nothing made), into the folder given by -o; or "
            "those of the manifest's column fold, or of a csv file with id and fold.",
        ),
    ] = None
    seeds: Annotated[int, typer.Option(metavar="N", min=1, help="N seeds from --seed on, into a folder.")] = 1
    events: Annotated[
        Path | None, typer.Option(metavar="EVENTS", help="To recommend: who did what with which item; - for a pipe.")
    ] = None
    positive: Annotated[
        str | None,
        typer.Option(metavar="RULE", help="Which events say yes, as 'rating>=4'. [default: from 4/5 of the best on]"),
    ] = None
    method: Annotated[
        str | None, typer.Option(metavar="NAME", help=f"Of rank: {listed(['auto', *methods.names()], 'auto')}.")
    ] = None
    splits: Annotated[
        Path | None,
        typer.Option(metavar="FILE.npz[#NAME]", help="Of rank: leave out these rows of EVENTS, and NAME_items."),
    ] = None
    by: Annotated[
        str | None, typer.Option(metavar="time|random", help="Of rank: leave out the last, or a random, fifth.")
    ] = None
    strict: Annotated[
        bool, typer.Option("--strict", help="Of rank: refuse events of which a test row is older than a training row.")
    ] = False
    private: privately.Private = None
    public: privately.PublicFiles = None
    items: privately.Items = None
    budget: privately.Budget = None
    audit: privately.Audit = False
    clients: privately.Clients = None
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the network that fits the data and stop.")] = False
    json: JsonFlag = False
    set_: Set = None
