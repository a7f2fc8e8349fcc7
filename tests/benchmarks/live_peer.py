"""The peer of bench_live: matchmaker's on-line warping over its own features. Runs in an environment of its own.

    python live_peer.py PAIRS.npz OUT.npz

PAIRS.npz holds NAME.reference and NAME.query, sound at 22,050 Hz; OUT.npz gets NAME.mfcc and NAME.chroma, for each
frame of the query, 50 a second, the position in seconds, and NAME.mfcc.cpu, milliseconds of processor time a frame.
Windows are two hops long there; times are those of their middles. Importing the package needs numpy below 2, and would
fetch a soundfont for partitura where fluidsynth is installed: it is not here.
"""

import sys
import time

import numpy as np
from matchmaker.dp.oltw_arzt import OnlineTimeWarpingArztFrame
from matchmaker.features.audio import ChromagramProcessor, MFCCProcessor

RATE, HOP = 22_050, 441


def main() -> None:
    pairs, out = np.load(sys.argv[1]), {}
    for name in sorted({key.rpartition(".")[0] for key in pairs.files}):
        for feature, kind in (("mfcc", MFCCProcessor), ("chroma", ChromagramProcessor)):
            make = kind(sample_rate=RATE, hop_length=HOP)
            reference = np.ascontiguousarray(make((pairs[f"{name}.reference"], 0.0))[0], np.float32)
            query = np.ascontiguousarray(make((pairs[f"{name}.query"], 0.0))[0], np.float32)
            seconds = np.arange(len(reference)) / 50.0
            follower = OnlineTimeWarpingArztFrame(reference, seconds, frame_rate=50, ref_frame_to_beat=seconds)
            follower.reset()
            begun, positions = time.process_time(), []
            for frame in query:
                follower.step(frame)
                positions.append(follower.get_current_position())
            middle = make.n_fft / 2 / RATE
            out[f"{name}.{feature}"] = np.array(positions) + middle
            out[f"{name}.{feature}.middle"] = middle
            out[f"{name}.{feature}.cpu"] = (time.process_time() - begun) / len(query) * 1000
    np.savez(sys.argv[2], **out)


main()
