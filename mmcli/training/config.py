"""Everything that decides what a training run does, as plain values. The command line reads it, so: no torch here."""

from __future__ import annotations

from dataclasses import dataclass, fields

from mmcli.errors import UsageError

TASKS = ("auto", "classify", "regress", "multilabel")
AUTO = "auto"
SUPERVISED, CONTRASTIVE = "supervised", "contrastive"
OBJECTIVES = (SUPERVISED, CONTRASTIVE)
CLASS_WEIGHTS = ("none", "inverse", "effective")
SAMPLING = ("all", "balanced")
CANDIDATES = ("all", "networks", "kernels")
QUICK, USUAL, THOROUGH = "quick", "usual", "thorough"
EFFORTS = (USUAL, QUICK, THOROUGH)
VAL = "val"
TRUSTS = ("auto", "folds", VAL)
DEVICES = ("auto", "cpu", "cuda")
GROUP = "group"
CONTEXTS = ("", GROUP)


@dataclass(frozen=True)
class TrainConfig:
    """Defaults suit some hundred to some thousand items.

    References: AdamW: Loshchilov and Hutter 2019; warm-up and cosine: Loshchilov and Hutter 2017; label smoothing:
    Szegedy et al. 2016; weight averaging: Polyak and Juditsky 1992, as an exponential average.
    """

    task: str = "auto"  # auto: from the labels
    target: str = ""  # a column label.NAME of the manifest; none named: the column label
    objective: str = SUPERVISED  # contrastive: encoders without labels, see training/fit/contrastive.py
    fusion: str = "concat"  # name of a fusion block; auto: an ensemble of candidates
    context: str = ""  # group: an item is answered among the others of its group, in their order
    reader: str = "bilstm"  # of --context: what reads the turns, see models/turns
    causal: bool = False  # of --context: no turn sees a later one
    folds: int = 3  # of the training split, for auto
    candidates: str = "all"  # of auto: all, networks, or kernels (what is solved in seconds)
    effort: str = USUAL  # of auto: quick (no networks), usual, thorough (every candidate on every fold, all epochs)
    trust: str = "auto"  # of auto: folds, val, or auto: folds unless the validation split speaks against them
    modalities: tuple[str, ...] = ()  # streams to use; none named: all
    encoders: tuple[str, ...] = ()  # STREAM=ENCODER; others by what the stream holds
    epochs: int = 0  # passes over the training split, at most; 0: 50, fewer for many items
    patience: int = 12  # epochs without a better validation loss before stopping; 0: never stop early
    batch: int = 0  # items a step; 0: chosen from the number of training items
    rate: float = 3e-3  # peak learning rate
    warmup: float = 0.1  # part of all steps with a rising rate
    decay: float = 0.02  # weight decay
    clip: float = 1.0  # largest gradient norm; 0: no clipping
    dropout: float = 0.3  # in encoders and heads
    modality_dropout: float = 0.1  # probability that a present modality is hidden from a training item
    auxiliary: float = 0.5  # weight of each modality's own loss beside the fused one; 0: none
    smoothing: float = 0.05  # label smoothing
    class_weights: str = "none"  # inverse, effective: rare classes count more, see training/fit/imbalance.py
    sampling: str = "all"  # balanced: an epoch draws every class equally often
    modulation: float = 0.0  # alpha of OGM-GE: leading modalities learn slower; 0: off, 0.1 to 1 in the paper
    average: float = 0.98  # decay of the average over steps that is validated and kept; 0: the last weights
    width: int = 0  # numbers an encoder gives; 0: chosen from the data
    threads: int = 1  # threads of one process, fixed: another number may round differently
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        ranges = {
            "epochs": (0, 100_000),
            "patience": (0, 100_000),
            "folds": (2, 100),
            "batch": (0, 1 << 20),
            "rate": (1e-8, 10.0),
            "warmup": (0.0, 1.0),
            "decay": (0.0, 10.0),
            "clip": (0.0, 1e9),
            "dropout": (0.0, 0.95),
            "modality_dropout": (0.0, 0.95),
            "auxiliary": (0.0, 100.0),
            "smoothing": (0.0, 0.95),
            "modulation": (0.0, 10.0),
            "average": (0.0, 0.99999),
            "width": (0, 4096),
            "threads": (1, 1024),
            "seed": (0, 2**31 - 1),
        }
        for field in fields(self):
            if field.name in ranges:
                low, high = ranges[field.name]
                if not low <= getattr(self, field.name) <= high:
                    raise UsageError(f"{field.name} must be between {low} and {high}, not {getattr(self, field.name)}")
        choices = {
            "task": TASKS,
            "objective": OBJECTIVES,
            "candidates": CANDIDATES,
            "effort": EFFORTS,
            "trust": TRUSTS,
            "class_weights": CLASS_WEIGHTS,
            "sampling": SAMPLING,
            "device": DEVICES,
            "context": CONTEXTS,
        }
        for name, known in choices.items():
            if (value := getattr(self, name)) not in known:
                named = ", ".join(filter(None, known))
                raise UsageError(f"{name.replace('_', ' ')} must be one of {named}, not {value!r}")
        if self.objective == CONTRASTIVE:
            needs = {
                "fusion": self.fusion != "concat",
                "class weights": self.class_weights != "none",
                "balanced sampling": self.sampling != "all",
                "gradient modulation": self.modulation > 0,
            }
            if unfit := [what for what, asked in needs.items() if asked]:
                raise UsageError(f"{unfit[0]} is for answers; contrastive pre-training gives encoders and no answer")
        if self.context:
            unread = {
                "--fusion auto": (self.fusion == AUTO, "name a fusion block: --fusion concat"),
                "--objective contrastive": (self.objective == CONTRASTIVE, "pairs have no turns"),
                "--sampling balanced": (self.sampling != "all", "rare classes count more with --class-weights"),
            }
            for what, (asked, hint) in unread.items():
                if asked:
                    raise UsageError(f"{what} does not go with --context: groups are read whole", hint=hint)
        if self.width % 8:
            raise UsageError(f"width must be a multiple of 8, not {self.width}")
