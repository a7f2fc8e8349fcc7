"""One recording twice: rooms, phones, noise, codecs, clocks, cuts, adverts, dubs, loops, short clips."""

from __future__ import annotations

import numpy as np
import sound
from pool import Made, Pool, kind
from sound import Sound, cut, seconds

from mmcli.aligners.output import stretch
from mmcli.artifacts.formats.timemap import TimeMap


def shifted(pool: Pool, x: Sound, y: Sound, rate: float = 1.0, lead: float | None = None) -> Made:
    """x as the reference and y, a version of it, as the query, which starts later or earlier and runs at ``rate``."""
    lead = pool.uniform(-8, 8) if lead is None else lead
    length = seconds(x)
    if lead >= 0:  # the query misses the first seconds
        q = sound.on_clock(y[round(lead * sound.RATE) :], rate)
        pieces = [(0.0, (length - lead) / rate, lead, rate)]
    else:  # the reference does
        x = x[round(-lead * sound.RATE) :]
        q = sound.on_clock(y, rate)
        pieces = [(-lead / rate, length / rate, 0.0, rate)]
    tail = pool.uniform(0, min(4.0, seconds(q) / 6))
    q = q[: len(q) - round(tail * sound.RATE)]
    pieces[0] = (pieces[0][0], min(pieces[0][1], seconds(q)), *pieces[0][2:])
    return written(pool, x, q, points=sound.points(pieces))


def written(pool: Pool, x: Sound, y: Sound, codec: str | None = None, **truth: object) -> Made:
    """Both files and the truth."""
    ref = sound.save(pool.folder / "ref.flac", x)
    if codec is None:
        qry = sound.save(pool.folder / "qry.flac", y)
    else:
        suffix, options = sound.CODECS[codec]
        qry = sound.encoded(pool.folder / f"qry{suffix}", y / max(1.0, float(np.abs(y).max()) / 0.9), options)
    return {"reference": ref.name, "query": qry.name, "truth": truth}


@kind("copy_room", 5)
def copy_room(pool: Pool) -> Made:
    x = pool.any(pool.uniform(18, 40))
    y = sound.in_room(x, pool.room(), pool.uniform(0.4, 1.2))
    y = sound.with_noise(y, pool.noise(len(y)), pool.uniform(8, 22))
    return shifted(pool, x, y)


@kind("copy_phones", 5)
def copy_phones(pool: Pool) -> Made:
    x = pool.any(pool.uniform(20, 40))
    a = sound.in_room(x, pool.room(), pool.uniform(0.5, 1.2))
    b = sound.in_room(x, pool.room(), pool.uniform(0.5, 1.2))
    a = sound.with_noise(a, pool.noise(len(a)), pool.uniform(12, 25))
    b = sound.with_noise(b, pool.noise(len(b)), pool.uniform(8, 20))
    return shifted(pool, a, b, 1 + pool.uniform(-80, 80) * 1e-6)


@kind("copy_noise", 5)
def copy_noise(pool: Pool) -> Made:
    x = pool.any(pool.uniform(15, 35))
    return shifted(pool, x, sound.with_noise(x, pool.noise(len(x)), pool.uniform(-2, 9)))


@kind("copy_codec", 9)
def copy_codec(pool: Pool) -> Made:
    x = pool.any(pool.uniform(12, 30))
    lead = pool.uniform(0, 6)
    y = cut(x, lead, seconds(x) - lead - 1)
    codec = list(sound.CODECS)[pool.at % len(sound.CODECS)]
    if codec in ("g711", "adpcm"):
        y = sound.telephone(y)
    return written(pool, x, y, codec, points=sound.points([(0, seconds(y), lead, 1.0)]))


@kind("cut_start", 8)
def cut_start(pool: Pool) -> Made:
    dropped = [0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 1.0, 0.04][pool.at % 8]
    x = pool.any(36.0)
    at = pool.choice([0.8, 2.0, 3.0, 5.0, 7.0, 7.0])
    if seconds(x) - at < 10:
        at = seconds(x) / 8
    inserted = sound.silence(dropped) if pool.at % 4 == 3 else None
    y, pieces = sound.spliced(x, [(at, 0.0 if inserted is not None else dropped, inserted)])
    return written(pool, x, y, points=sound.points(pieces, 0.25, 0.02))


@kind("cut_end", 5)
def cut_end(pool: Pool) -> Made:
    dropped = pool.choice([0.05, 0.2, 0.5, 1.0, 2.0])
    x = pool.any(pool.uniform(24, 50))
    y, pieces = sound.spliced(x, [(seconds(x) - dropped - pool.uniform(2.5, 7), dropped, None)])
    return written(pool, x, y, points=sound.points(pieces, 0.25, 0.02))


@kind("cut_any", 8)
def cut_any(pool: Pool) -> Made:
    x = pool.any(pool.uniform(30, 60))
    n, length = int(pool.rng.integers(1, 4)), seconds(x)
    edits = []
    for k in range(n):
        at = length * (k + pool.uniform(0.25, 0.7)) / n
        if pool.flip():
            edits.append((at, min(pool.uniform(0.3, 9), length / n / 3), None))
        else:
            edits.append((at, 0.0, pool.choice([pool.talk, pool.music])(pool.uniform(0.5, 9))))
    y, pieces = sound.spliced(x, edits)
    if pool.flip():
        y = sound.with_noise(y, pool.noise(len(y)), pool.uniform(10, 25))
    return written(pool, x, y, points=sound.points(pieces))


@kind("cut_long", 5)
def cut_long(pool: Pool) -> Made:
    minutes = [15, 5, 10, 6, 8][pool.at % 5]
    x = np.concatenate([pool.any(pool.uniform(25, 60)) for _ in range(2 * minutes)])[: minutes * 60 * sound.RATE]
    at = [60.0, 12.0, 7.0, seconds(x) - 12, 20.0][pool.at % 5]
    y, pieces = sound.spliced(x, [(at, pool.choice([1.0, 2.0, 0.5]), None)])
    return written(pool, x, y, points=sound.points(pieces, 0.5, 0.05))


@kind("drift", 6)
def drift(pool: Pool) -> Made:
    x = pool.any(pool.uniform(30, 60))
    rate = [1 + 25e-6, 1 - 145e-6, 1 + 800e-6, 1 - 2000e-6, 25 / 24, 24 / 25][pool.at % 6]
    y = sound.with_noise(x, pool.noise(len(x)), pool.uniform(12, 30))
    return shifted(pool, x, y, rate, pool.uniform(-4, 4))


@kind("retimed", 6)
def retimed(pool: Pool) -> Made:
    """At a pace that wanders by 5 to 20 % either way: no line holds, and no piece of one for long."""
    x = pool.any(pool.uniform(20, 45))
    t = np.arange(0.0, seconds(x), 0.25)
    reach, anchors = pool.uniform(0.05, 0.2), np.arange(0.0, seconds(x) + 4.0, 3.0)
    pace = np.interp(t, anchors, pool.rng.uniform(-reach, reach, len(anchors)))
    at = np.concatenate([[0.0], np.cumsum(0.25 * np.exp(pace[:-1]))])
    y = stretch.retimed(x.astype(np.float32), sound.RATE, TimeMap(np.column_stack([at, t])))
    if pool.flip():
        y = sound.with_noise(y, pool.noise(len(y)), pool.uniform(10, 25))
    shown = slice(2, -2, 2)
    return written(pool, x, y, points=np.column_stack([t, at])[shown].tolist())


@kind("podcast", 6)
def podcast(pool: Pool) -> Made:
    """A jingle before and between the parts, adverts in one or both."""
    jingle = pool.music(pool.uniform(2, 5))
    parts = [pool.talk(pool.uniform(14, 26)) for _ in range(3)]
    ads = [np.concatenate([pool.talk(pool.uniform(4, 9)), jingle]) for _ in range(3)]
    ref, qry, pieces = [jingle], [jingle], [(0.0, seconds(jingle), 0.0, 1.0)]
    at_r = at_q = seconds(jingle)
    for k, part in enumerate(parts):
        pieces.append((at_q, at_q + seconds(part) + seconds(jingle), at_r, 1.0))
        ref += [part, jingle]
        qry += [part, jingle]
        at_r += seconds(part) + seconds(jingle)
        at_q += seconds(part) + seconds(jingle)
        if k < 2:
            if pool.at % 2 == 0 or k == 0:
                qry.append(ads[k])
                at_q += seconds(ads[k])
            if pool.at % 3 == 0 and k == 1:
                ref.append(ads[2])
                at_r += seconds(ads[2])
    # a jingle beside an advert that ends with the same jingle belongs to either: no point in it
    rows = [p for p in sound.points(pieces) if all(not (b - seconds(jingle) < p[1] < b) for _, b, _, _ in pieces[1:])]
    return written(
        pool, np.concatenate(ref), np.concatenate(qry), pool.choice(["mp3_64k_44", "aac_48k", "vorbis"]), points=rows
    )


@kind("dub", 6)
def dub(pool: Pool) -> Made:
    """Two voices over one music-and-effects track; in half of them the music is a loop."""
    length = pool.uniform(35, 60)
    if pool.at % 2:
        bar = pool.music(pool.uniform(1.8, 4.2))
        track = np.resize(bar, round(length * sound.RATE))
        track = sound.with_noise(track, _effects(pool, len(track)), 2)
    else:
        track = pool.music(length)
        track = track + 0.5 * _effects(pool, len(track))
    n = len(track)
    a, b = (np.resize(pool.talk(seconds(track)), n) for _ in "ab")
    x, y = sound.with_noise(a, track, pool.uniform(-4, 4)), sound.with_noise(b, track, pool.uniform(-4, 4))
    return shifted(pool, x, y, 25 / 24 if pool.at % 3 == 2 else 1.0, pool.uniform(-5, 5))


def _effects(pool: Pool, n: int) -> Sound:
    """Steps, doors and shots: short noises at times of their own."""
    y = np.zeros(n)
    at = 0.0
    while (at := at + pool.rng.exponential(2.5)) < n / sound.RATE - 1:
        k = round(pool.uniform(0.03, 0.5) * sound.RATE)
        burst = sound.hiss(pool.rng, k, pool.uniform(0, 2)) * np.exp(-np.linspace(0, 6, k))
        i = round(at * sound.RATE)
        y[i : i + k] += burst * pool.uniform(0.5, 3)
    return y


@kind("loops", 6)
def loops(pool: Pool) -> Made:
    """A talk over a loop or a click track, twice: what is said alone tells where."""
    length = pool.uniform(22, 40)
    talk = pool.talk(length)
    if pool.at % 2:
        under = clicks(pool, len(talk))
    else:
        under = np.resize(pool.music(pool.uniform(1.5, 4)), len(talk))
    x = sound.with_noise(talk, under, pool.uniform(-3, 8))
    return shifted(pool, x, sound.with_noise(x, pool.noise(len(x)), pool.uniform(10, 25)))


def clicks(pool: Pool, n: int) -> Sound:
    """A metronome."""
    beat = 60 / pool.choice([60, 72, 90, 100, 120, 132])
    y = np.zeros(n)
    tick = np.sin(2 * np.pi * 1500 * np.arange(round(0.02 * sound.RATE)) / sound.RATE) * np.linspace(
        1, 0, round(0.02 * sound.RATE)
    )
    for k, t in enumerate(np.arange(0, n / sound.RATE - 0.03, beat)):
        i = round(t * sound.RATE)
        y[i : i + len(tick)] += tick * (0.8 if k % 4 == 0 else 0.5)
    return y


def steady(pool: Pool, n: int) -> Sound:
    """A tone, two tones, or mains hum with its harmonics."""
    t = np.arange(n) / sound.RATE
    f = pool.choice([440.0, 1000.0, 50.0, 60.0, 220.0])
    parts = [1.0] if f > 100 else [1.0, 0.5, 0.7, 0.2, 0.3]
    return np.asarray(0.4 * sum(g * np.sin(2 * np.pi * f * (k + 1) * t + k) for k, g in enumerate(parts)))


@kind("over_hum", 5)
def over_hum(pool: Pool) -> Made:
    """A talk over a steady tone or hum, twice."""
    talk = pool.talk(pool.uniform(18, 30))
    x = sound.with_noise(talk, steady(pool, len(talk)), pool.uniform(-3, 10))
    return shifted(pool, x, sound.with_noise(x, pool.noise(len(x)), pool.uniform(12, 25)))


@kind("short", 6)
def short(pool: Pool) -> Made:
    """A clip of 1 to 5 s of a longer recording, as it was said or through a codec."""
    x = pool.any(pool.uniform(20, 45))
    length = pool.uniform(1.2, 5)
    for _ in range(20):  # a clip of silence belongs nowhere
        at = pool.uniform(0, seconds(x) - length)
        y = cut(x, at, length)
        if sound.level(y) > 0.5 * sound.level(x):
            break
    return written(
        pool,
        x,
        y,
        pool.choice([None, "opus_24k", "mp3_64k_44", "vorbis"]),
        points=sound.points([(0, length, at, 1.0)], 0.1),
    )
