"""A search for inputs that reach new branches of a reader, and break it: atheris (libFuzzer for Python).

    python search.py TARGET CORPUS SECONDS      CORPUS is read and added to; exit 1 and the input's path on a finding

Findings stand in CORPUS.findings. What of a corpus is worth keeping: ``keep.py``.
"""

from __future__ import annotations

import resource
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
GROWTH_MB = 300
HANG_S = 20


def main(name: str, corpus: Path, seconds: int) -> None:
    """See the module; does not return: libFuzzer ends the process."""
    import atheris

    import targets

    target = targets.TARGETS[name]
    with atheris.instrument_imports(include=list(target.reads), enable_loader_override=False):
        import mmcli.artifacts.formats.alignment
        import mmcli.media.intervals
        import mmcli.media.midi
        import mmcli.media.series
        import mmcli.media.subtitles
        import mmcli.media.wav  # noqa: F401
        import PIL.PngImagePlugin
        import pysubs2  # noqa: F401
    corpus.mkdir(parents=True, exist_ok=True)
    findings = corpus.with_name(corpus.name + ".findings")
    findings.mkdir(exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        words = folder / "words.dict"
        words.write_text(targets.dictionary(target))
        for seed in target.seeds():
            target.attempt(seed, folder)  # what is loaded once is not counted as growth
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        def one(data: bytes) -> None:
            target.attempt(target.sensible(data), folder)
            grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
            assert grown < GROWTH_MB, f"{grown:.0f} MB more than a sound file takes"

        flags = [
            f"-max_total_time={seconds}", f"-timeout={HANG_S}", "-rss_limit_mb=0", "-max_len=4096", "-len_control=20",
            f"-artifact_prefix={findings}/", f"-dict={words}", "-print_final_stats=1", "-use_value_profile=1",
        ]  # fmt: skip
        atheris.Setup([sys.argv[0], *flags, str(corpus)], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
