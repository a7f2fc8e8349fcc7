"""Features that others publish, for bench_public.py: each function reads one set as its owners give it.

FOLDER holds their files under these names:

    rosmap_1_tr.csv ... rosmap_labels_te.csv        github.com/txWang/MOGONET, ROSMAP/1_tr.csv ...
    handwritten_6views.mat                          github.com/hanmenghan/TMC, TMC ICLR/datasets
    LandUse-21.mat, Scene-15.mat                    github.com/XLearning-SCU/2021-CVPR-Completer, data
    mosi_{audio,text,video}_{train,test}.csv        github.com/declare-lab/multimodal-deep-learning, bc-LSTM/data/audio/
                                                    audio_train0.csv ...; mosi_order_{train,test}.csv is the first
                                                    column of text_{train,test}.csv there, and mosi_transcripts.csv
                                                    its transcripts.csv
    kidney_1_tr.csv ... kidney_labels_te.csv        github.com/HaoWuLab-Bioinformatics/MOGANet, Kidney/1_tr.csv ...
    tcga_{mrna,mirna,labels}_{train,test}.csv       github.com/mixOmicsTeam/mixOmics, data/breast.TCGA.rda as csv
    cub_googlenet_doc2vec_c10.mat                   github.com/XLearning-SCU/2023-IJCAI-ProImp, data

    3sources.mat, msrcv1.mat                        github.com/kunzhan/SDSNE, data
    BBCSport.mat                                    github.com/HUANLINMOTA/AFMVSC, datasets

Where the owners divide training from test, that division is kept, and the seed draws a fifth of the training rows
(whole groups, where there are groups) as validation. Where they do not, the seed draws 60/20/20.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SPLITS = ("train", "val", "test")


@dataclass
class Set:
    """``views`` float64 ``(n, width)`` each; ``label`` int64 ``(n,)``; ``split`` of each row; ``group`` "" for none."""

    views: dict[str, np.ndarray]
    label: np.ndarray
    split: np.ndarray
    group: np.ndarray


def _official(views: dict[str, list[np.ndarray]], label: list[np.ndarray], seed: int, group: np.ndarray | None) -> Set:
    """Rows of training and of test, each given as such."""
    split = np.repeat(["train", "test"], [len(part) for part in label]).astype("U5")
    group = np.full(len(split), "", "U1") if group is None else group
    train = np.flatnonzero(split == "train")
    units = group[train] if group[0] else train.astype("U9")
    names = np.unique(units)
    drawn = np.random.default_rng(seed).choice(names, len(names) // 5, replace=False)
    split[train[np.isin(units, drawn)]] = "val"
    _, numbers = np.unique(np.concatenate(label), return_inverse=True)
    return Set({name: np.concatenate(parts) for name, parts in views.items()}, numbers, split, group)


def _table(path: Path) -> np.ndarray:
    with path.open(newline="", encoding="utf8") as file:
        return np.array([[float(value) for value in row] for row in csv.reader(file)])


def _omics(folder: Path, name: str, seed: int) -> Set:
    views = {f"v{i}": [_table(folder / f"{name}_{i}_{s}.csv") for s in ("tr", "te")] for i in (1, 2, 3)}
    label = [np.loadtxt(folder / f"{name}_labels_{s}.csv").astype(int) for s in ("tr", "te")]
    return _official(views, label, seed, None)


def rosmap(folder: Path, seed: int) -> Set:
    """Three kinds of molecules of 351 brains, ill or not; 106 of them test."""
    return _omics(folder, "rosmap", seed)


def kidney(folder: Path, seed: int) -> Set:
    """Three kinds of molecules of 136 kidneys, two diagnoses; 41 of them test."""
    return _omics(folder, "kidney", seed)


def tcga(folder: Path, seed: int) -> Set:
    """Messenger and micro RNA of 220 breast tumours in three subtypes; 70 of them test."""
    kinds, parts = ("mrna", "mirna"), ("train", "test")
    views = {k: [_table(folder / f"tcga_{k}_{s}.csv") for s in parts] for k in kinds}
    label = [np.array((folder / f"tcga_labels_{s}.csv").read_text().split()) for s in parts]
    return _official(views, label, seed, None)


def mosi(folder: Path, seed: int) -> Set:
    """Sentiment (positive or not) of 2,198 sentences said in 93 videos; 31 of the videos test.

    The text features come out of a network that was trained on the labels of the training videos.
    """
    with (folder / "mosi_transcripts.csv").open(newline="", encoding="utf8", errors="replace") as file:
        videos = [row[0].rpartition("_")[0] for row in csv.reader(file)]
    parts = ("train", "test")
    read = {k: [_table(folder / f"mosi_{k}_{s}.csv") for s in parts] for k in ("audio", "text", "video")}
    order = [int(i.strip(' "')) for s in parts for i in (folder / f"mosi_order_{s}.csv").read_text().split()]
    views = {kind: [part[:, :-1] for part in both] for kind, both in read.items()}
    return _official(views, [part[:, -1] for part in read["text"]], seed, np.array([videos[i] for i in order]))


def handwritten(folder: Path, seed: int) -> Set:
    """Six views of 2,000 digits; the owners' 400 are test."""
    from scipy.io import loadmat

    content = loadmat(folder / "handwritten_6views.mat")
    views = {f"v{i}": [content[f"x{i}_train"], content[f"x{i}_test"]] for i in range(1, 7)}
    return _official(views, [content["gt_train"].ravel(), content["gt_test"].ravel()], seed, None)


def _drawn(name: str, folder: Path, seed: int) -> Set:
    from scipy.io import loadmat

    content = loadmat(folder / f"{name}.mat")
    several = content["X"].ravel() if "X" in content else [content[key] for key in sorted(content) if key[0] != "_"]
    label = next(content[key] for key in ("Y", "gt", "truth") if key in content).ravel().astype(int)
    arrays = [a.toarray() if hasattr(a, "toarray") else a for a in several if max(a.shape) != a.size]
    views = {f"v{i}": a if len(a) == len(label) else a.T for i, a in enumerate(map(np.asarray, arrays))}
    split = np.random.default_rng(seed).choice(SPLITS, len(label), p=[0.6, 0.2, 0.2])
    return Set(views, np.unique(label, return_inverse=True)[1], split, np.full(len(label), "", "U1"))


def landuse(folder: Path, seed: int) -> Set:
    """Three views of 2,100 pictures of land from above in 21 classes."""
    return _drawn("LandUse-21", folder, seed)


def scene(folder: Path, seed: int) -> Set:
    """Three views of 4,485 pictures of scenes in 15 classes."""
    return _drawn("Scene-15", folder, seed)


def cub(folder: Path, seed: int) -> Set:
    """Pictures and descriptions of 600 birds of ten kinds."""
    return _drawn("cub_googlenet_doc2vec_c10", folder, seed)


def sources(folder: Path, seed: int) -> Set:
    """Words of 169 stories as three newspapers tell them, in six subjects."""
    return _drawn("3sources", folder, seed)


def msrc(folder: Path, seed: int) -> Set:
    """Five views of 210 pictures of seven things."""
    return _drawn("msrcv1", folder, seed)


def sport(folder: Path, seed: int) -> Set:
    """Words of the two halves of 544 reports on five sports."""
    return _drawn("BBCSport", folder, seed)


SETS = {f.__name__: f for f in (rosmap, handwritten, landuse, scene, mosi, kidney, tcga, cub, sources, msrc, sport)}
