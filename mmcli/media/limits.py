"""Every number that bounds what a media file may cost, with its reason; checked before decoding where files declare it.

The limits contain honest accidents and crafted files alike; they do not make the decoders safe against memory
corruption. In a batch the decoders run in worker processes, whose limits the batch runner sets.
"""

from __future__ import annotations

MIB = 1 << 20
GIB = 1 << 30

# Files. A working day of 24 bit stereo at 48 kHz is 8 GB, video is larger; everything else is held whole.
MAX_STREAM_BYTES = 256 * GIB
MAX_IMAGE_BYTES = 256 * MIB
MAX_TEXT_BYTES = 64 * MIB
MAX_SUBTITLE_BYTES = 16 * MIB
MAX_SERIES_BYTES = 2 * GIB

# Audio. Rates from telemetry to ultrasound; 256 channels covers 6th-order ambisonics and microphone arrays.
MIN_RATE_HZ = 10
MAX_RATE_HZ = 3_072_000
MAX_CHANNELS = 256
# Seven days: longer declared lengths are damaged headers.
MAX_DURATION_S = 7 * 24 * 3600.0
# Samples in one decoder read and one resampler step: 65,536 frames are 1.4 s at 48 kHz and 2 MB for eight channels.
AUDIO_PIECE = 1 << 16
# samples() holds the clip whole: 2 GiB of float32, 9 hours at 16 kHz, 3 hours at 48 kHz. blocks() has no such limit.
MAX_WHOLE_SAMPLES = 1 << 29
# Sound that is held for the next extractor of a batch: 17 minutes at 16 kHz. Longer sound is decoded for each.
KEPT_BYTES = 64 * MIB
# Decoded sound may end this much before or after what its container declares (one AAC frame at 8 kHz is 0.128 s, and
# containers round): more is a truncated file, or padding to cut.
DURATION_SLACK_S = 0.25


def silence_s(size: int) -> float:
    """Seconds of silence that gaps in the times of a file of ``size`` bytes may stand for: an hour, or a second a
    kilobyte. A forged time would otherwise make days of it."""
    return max(3600.0, size / 1000)


# Pictures. 64 million pixels is an 8,000 x 8,000 scan, 768 MB as float32 RGB. Frames of video: 8K UHD is 33 million.
MAX_IMAGE_PIXELS = 64_000_000
MAX_FRAME_PIXELS = 40_000_000


def image_values(size: int) -> int:
    """Values (pixels times channels) that a picture of ``size`` bytes may unpack to: 36 million, or 36 a byte.

    Held as bytes and as float32 that is 216 MB. A photograph has about one value a byte, a drawing ten; what has more
    in a file of less than a megabyte is made to fill memory.
    """
    return max(36_000_000, 36 * size)


def frame_pixels(size: int) -> int:
    """Pixels of a video frame: 4K in a file of up to a megabyte, whose decoder holds up to 17 of them, else 8K."""
    return 4096 * 2176 if size <= 1_000_000 else MAX_FRAME_PIXELS


def audio_values(size: int) -> int:
    """Samples times channels that a file of ``size`` bytes may decode to: an hour and a half at 48 kHz, or 400 a byte.

    Silence in FLAC has 350 a byte, speech in Opus 20.
    """
    return max(1 << 28, 400 * size)


def whole_samples(size: int | None) -> int:
    """Samples of a file of ``size`` bytes that may be held at once, 4 bytes each: 200 MB of a small file."""
    return MAX_WHOLE_SAMPLES if size is None else min(MAX_WHOLE_SAMPLES, max(50_000_000, 64 * size))


# Decoder threads of one video: past two the gain is small, and batches use one process per core anyway.
DECODER_THREADS = 2

# Arrays. numpy's header of a plain array takes 128 bytes; one that takes more than 10,000 is an attack on the parser.
MAX_NPY_HEADER = 10_000
MAX_NPZ_MEMBERS = 64
# A member may unpack to this many times the file's size, or to the floor, whichever is larger.
MAX_NPZ_RATIO = 32
NPZ_FLOOR_BYTES = 48 * MIB
MAX_SERIES_COLUMNS = 65_536
# One csv line: 65,536 columns of 20 characters.
MAX_CSV_LINE = 2 * MIB

MISSING = -3.4028234663852886e38  # the least float32 stands for a missing value until it is filled: nobody measured it
