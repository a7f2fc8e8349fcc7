"""A search for inputs that reach new branches of a reader, and break it: atheris (libFuzzer for Python).

    python search.py TARGET FOLDER SECONDS      goes on from FOLDER and the corpus that is kept; exit 77 on a finding

What was reached is added to FOLDER, what broke stands in FOLDER.findings; ``corpus.py pack`` keeps both.
"""

from __future__ import annotations

import importlib
import resource
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
# Loaded while branches are being marked; what of them guides a search stands with its target.
WATCHED = (
    *(f"mmcli.media.{name}" for name in ("intervals", "midi", "series", "subtitles", "wav", "image")),
    *("mmcli.artifacts.formats.alignment", "mmcli.artifacts.formats.manifest", "PIL.PngImagePlugin", "pysubs2"),
)
GROWTH_MB = 300
HANG_S = 20
INNER = "--inner"


def main(name: str, folder: Path, seconds: int, *more: str) -> None:
    """See the module; ``more`` is for libFuzzer, which ends the process."""
    import atheris
    import corpus
    import targets

    target = targets.TARGETS[name]
    with atheris.instrument_imports(include=list(target.reads), enable_loader_override=False):
        for module in WATCHED:
            importlib.import_module(module)
    folder.mkdir(parents=True, exist_ok=True)
    findings = folder.with_name(folder.name + ".findings")
    findings.mkdir(exist_ok=True)
    if not more:
        corpus.unpack(name, folder)
        for number, seed in enumerate(target.seeds()):
            (folder / f"seed-{number}").write_bytes(seed)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        words = place / "words.dict"
        words.write_text(targets.dictionary(target))
        for seed in target.seeds():
            target.attempt(seed, place)  # what is loaded once is not counted as growth
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        def one(data: bytes) -> None:
            target.attempt(target.sensible(data), place)
            grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
            assert grown < GROWTH_MB, f"{grown:.0f} MB more than a sound file takes"

        flags = [
            f"-max_total_time={seconds}", f"-timeout={HANG_S}", "-rss_limit_mb=0", "-max_len=4096", "-len_control=20",
            f"-artifact_prefix={findings}/", f"-dict={words}", "-print_final_stats=1", "-use_value_profile=1",
        ]  # fmt: skip
        again = f"{sys.executable} -W ignore {__file__} {INNER} {name}"  # as which libFuzzer calls itself to merge
        own = list(more) if INNER in sys.argv else [*flags, *more[:1], str(folder), *more[1:]]
        atheris.Setup([again, *own], one)
        atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1] == INNER:
        main(sys.argv[2], Path(tempfile.mkdtemp()), 0, *sys.argv[3:])
    else:
        main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
