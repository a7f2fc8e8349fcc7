"""Which kinds of sound and film can be decoded here, as the libraries say that were installed."""

from __future__ import annotations

# What people bring; the names are those of libav's decoders.
DECODERS = (
    *("h264", "hevc", "vp8", "vp9", "av1", "mpeg2video", "mpeg4", "mjpeg", "prores", "wmv2"),
    *("aac", "mp3", "opus", "vorbis", "flac", "alac", "ac3", "eac3", "amrnb", "wmav2", "pcm_s16le", "adpcm_ima_wav"),
)


def decoders() -> dict[str, bool]:
    """Of every name in :data:`DECODERS`, whether libav has a decoder of it (AV1 under any of its names).

    >>> decoders()["flac"]
    True
    """
    import av

    known = set(av.codecs_available)
    av1 = {"av1", "libdav1d", "libaom-av1"}
    return {name: name in known if name != "av1" else bool(known & av1) for name in DECODERS}


def libraries() -> dict[str, str]:
    """The versions of the decoders' own libraries: those of libav, and libsndfile.

    >>> sorted(libraries())[:2]
    ['libavcodec', 'libavformat']
    """
    import av
    import soundfile

    wanted = ("libavcodec", "libavformat")
    own = {name: ".".join(map(str, av.library_versions[name])) for name in wanted if name in av.library_versions}
    return own | {"libsndfile": soundfile.__libsndfile_version__}
