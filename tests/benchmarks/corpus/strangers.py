"""Recordings that do not belong together, alike in all but what matters: speaker, room, loop, click, jingle, tone."""

from __future__ import annotations

import numpy as np
import sound
from copies import clicks, steady, written
from pool import Made, Pool, kind
from sound import Sound, seconds

READERS = {
    "last2": ("ljspeech", "armelle", "colombian", "ljspeech"),
    "check2": ("linguist_en", "stamps_fr", "mfa", "linguist_en"),
    "last3": ("sphinx", "stamps_es", "aldo", "gesundheit"),
}


@kind("no_talk", 18)
def no_talk(pool: Pool) -> Made:
    """Two talks by two speakers."""
    return written(pool, pool.talk(pool.uniform(10, 25)), pool.talk(pool.uniform(8, 20)), refuse=True)


@kind("no_same_speaker", 12)
def no_same_speaker(pool: Pool) -> Made:
    """Two talks by one speaker."""
    source = READERS.get(pool.split, ("librispeech", "trump", "prompts_en", "librispeech"))[pool.at % 4]
    x = pool.talk(pool.uniform(24, 44), source=source)
    half = len(x) // 2
    return written(pool, x[:half], x[half:], refuse=True)


@kind("no_same_room", 10)
def no_same_room(pool: Pool) -> Made:
    """Two talks in one room over one noise that goes on."""
    room, length = pool.room(), pool.uniform(12, 20)
    n = round(2.1 * length * sound.RATE)
    noise = sound.like(pool.rng, pool.noise(n), n)
    a, b = (sound.in_room(pool.talk(length), room) for _ in "ab")
    snr = pool.uniform(3, 12)
    return written(pool, sound.with_noise(a, noise, snr), sound.with_noise(b, noise[len(a) :], snr), refuse=True)


@kind("no_music", 14)
def no_music(pool: Pool) -> Made:
    """Two pieces of music."""
    x, y = pool.music(pool.uniform(12, 25)), pool.music(pool.uniform(12, 25))
    return written(pool, x, y, refuse=True)


@kind("no_same_song", 8)
def no_same_song(pool: Pool) -> Made:
    """A song's first part and its second: the same bars may come back, the same time does not."""
    x = sound.load(pool.take([r for r in pool.of("music") if seconds(sound.load(r.path)) > 40]).path)
    half = len(x) // 2
    n = round(pool.uniform(14, 20) * sound.RATE)
    return written(pool, x[half - n : half], x[half : half + n], refuse=True, repeats=True)


@kind("no_click", 12)
def no_click(pool: Pool) -> Made:
    """Two talks over one metronome."""
    n = round(pool.uniform(12, 24) * sound.RATE)
    track = clicks(pool, n)
    loud = pool.uniform(-3, 10)
    return written(
        pool, *(sound.with_noise(np.resize(pool.talk(n / sound.RATE), n), track, loud) for _ in "ab"), refuse=True
    )


@kind("no_loop", 12)
def no_loop(pool: Pool) -> Made:
    """Two talks over one loop of music."""
    n = round(pool.uniform(14, 24) * sound.RATE)
    track = np.resize(pool.music(pool.uniform(1.5, 4.0)), n)
    loud = pool.uniform(-2, 8)
    return written(
        pool, *(sound.with_noise(np.resize(pool.talk(n / sound.RATE), n), track, loud) for _ in "ab"), refuse=True
    )


@kind("no_jingle", 10)
def no_jingle(pool: Pool) -> Made:
    """Two programmes with one station's jingle, at the start or in the middle."""
    jingle = pool.music(pool.uniform(1.5, 3.5))

    def programme() -> Sound:
        a, b = pool.talk(pool.uniform(5, 12)), pool.talk(pool.uniform(10, 16))
        return np.concatenate([jingle, a, b] if pool.at % 2 else [a, jingle, b])

    return written(pool, programme(), programme(), refuse=True, shares="a jingle")


@kind("no_tone", 12)
def no_tone(pool: Pool) -> Made:
    """Two talks over one steady tone or hum."""
    n = round(pool.uniform(12, 22) * sound.RATE)
    track, loud = steady(pool, n), pool.uniform(-4, 8)
    return written(
        pool, *(sound.with_noise(np.resize(pool.talk(n / sound.RATE), n), track, loud) for _ in "ab"), refuse=True
    )


@kind("no_content", 12)
def no_content(pool: Pool) -> Made:
    """Tones, clicks, hum, hiss and silence alone: nothing tells where they belong."""
    n, m = (round(pool.uniform(8, 20) * sound.RATE) for _ in "ab")
    which = pool.at % 6
    if which == 0:
        track = steady(pool, max(n, m))
        x, y = track[:n], np.roll(track, int(pool.rng.integers(sound.RATE)))[:m]
    elif which == 1:
        track = clicks(pool, n + m)
        x, y = track[:n], np.roll(track, int(pool.rng.integers(len(track))))[:m]
    elif which == 2:
        x, y = sound.hiss(pool.rng, n, 1.0), sound.hiss(pool.rng, m, 1.0)
    elif which == 3:
        x, y = pool.talk(n / sound.RATE), sound.hiss(pool.rng, m, 0.0) * 1e-4
    elif which == 4:
        x, y = pool.talk(n / sound.RATE), steady(pool, m)
    else:
        x, y = (sound.like(pool.rng, pool.noise(k), k) for k in (n, m))
    return written(pool, x + 1e-4 * pool.rng.standard_normal(n), y + 1e-4 * pool.rng.standard_normal(m), refuse=True)


@kind("no_backwards", 10)
def no_backwards(pool: Pool) -> Made:
    """A recording and itself backwards, or its seconds in another order."""
    x = pool.any(pool.uniform(12, 22))
    if pool.at % 2:
        return written(pool, x, x[::-1].copy(), refuse=True)
    n = round(pool.uniform(0.4, 1.0) * sound.RATE)
    blocks = [x[i : i + n] for i in range(0, len(x), n)]
    return written(pool, x, np.concatenate([blocks[int(i)] for i in pool.rng.permutation(len(blocks))]), refuse=True)
