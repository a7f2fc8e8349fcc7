"""A filter script of ffmpeg that puts the query on the clock of the reference.

    ffmpeg -i REFERENCE -i QUERY -/filter_complex cut.ffscript -map '[sound]' out.wav
    ffmpeg -i REFERENCE -i QUERY -/filter_complex cut.ffscript -map '[pictures]' -map '[sound]' out.mp4

(``-filter_complex_script cut.ffscript`` before ffmpeg 7.) Pauses are silence, and black where the query has pictures.
"""

from __future__ import annotations

from mmcli.aligners.core.timeline import Piece, Timeline, Track

SUFFIXES, MANY = (".ffscript",), ()
HZ = 48_000
LEAST_TEMPO, MOST_TEMPO = 0.5, 2.0  # what one atempo is good for
SHORTEST_S = 1e-4


def render(timeline: Timeline, suffix: str) -> bytes:
    """The script as text."""
    query = timeline.query
    chains = _joined(query, sound=True)
    if query.pictures:
        chains += _joined(query, sound=False)
    return (";\n".join(chains) + "\n").encode()


def _joined(track: Track, *, sound: bool) -> list[str]:
    """One chain a piece and a pause, and one that joins them."""
    kind, name = ("a", "sound") if sound else ("v", "pictures")
    chains: list[str] = []
    at = 0.0
    for piece in track.pieces:
        if piece.at - at > SHORTEST_S:
            chains.append(_pause(piece.at - at, sound))
        chains.append(_sound(piece) if sound else _pictures(piece))
        at = piece.until
    labels = [f"[{kind}{n}]" for n in range(len(chains))]
    ends = f"concat=n={len(chains)}:v={int(not sound)}:a={int(sound)}[{name}]"
    return [*(chain + label for chain, label in zip(chains, labels, strict=True)), "".join(labels) + ends]


def _pause(seconds: float, sound: bool) -> str:
    if sound:
        return f"anullsrc=r={HZ}:cl=mono,atrim=end_sample={round(seconds * HZ)}"
    return (
        f"[1:v]trim=start_frame=0:end_frame=1,drawbox=c=black:t=fill,tpad=stop_mode=clone:stop_duration={seconds:.6f}"
    )


def _sound(piece: Piece) -> str:
    """Cut by samples, so that no piece is longer than it should be."""
    first, last = round(piece.start * HZ), round(piece.end * HZ)
    cut = f"[1:a]aresample={HZ},aformat=channel_layouts=mono,atrim=start_sample={first}:end_sample={last}"
    out = f"{cut},asetpts=PTS-STARTPTS"
    speed = piece.speed
    if abs(speed - 1.0) * (piece.until - piece.at) > 0.5 / HZ:
        while speed > MOST_TEMPO:
            out, speed = f"{out},atempo={MOST_TEMPO}", speed / MOST_TEMPO
        while speed < LEAST_TEMPO:
            out, speed = f"{out},atempo={LEAST_TEMPO}", speed / LEAST_TEMPO
        length = round((piece.until - piece.at) * HZ)
        out += f",atempo={speed:.9f},apad=whole_len={length},atrim=end_sample={length}"
    return out


def _pictures(piece: Piece) -> str:
    cut = f"[1:v]trim=start={piece.start:.6f}:end={piece.end:.6f}"
    return f"{cut},setpts=(PTS-STARTPTS)/{piece.speed:.9f}"
