#!/bin/sh
# The whole pipeline on the recordings, drawings and sentences of this folder. Meant to be read: it is the tutorial.
#
#     sh sample_data/demo.sh [FOLDER]      # results go to FOLDER, else to ./demo-out
#
# The first run makes a virtual environment in .venv at the root of the checkout and installs mmcli there.
# MMCLI=/path/to/mmcli uses an installed one instead (its Python is looked for beside it, or named by PYTHON).
set -eu

here=$PWD
cd "$(dirname "$0")/.."
out=${1:-demo-out}
case $out in
    /*) ;;
    *) [ "$here" = "$PWD" ] || out=$here/$out ;;
esac

. sample_data/program.sh # installed, if needed

started=$(date +%s)

# --- digits: what three weak witnesses know together ------------------------------------------------------------------
# 400 digits: a drawing with a strip over it, the spoken word in noise, and a sentence such as "odd, and larger than
# four". Ten voices: six to train on, two to watch the training with, two that are heard for the first time in the test.
# (`extract` also sends its manifest to standard output, for a pipe; it is not needed here.)

digits=$out/digits
mmcli extract sample_data/digits/manifest.csv -o "$digits/features" --image pixels --audio mfcc --text tokens \
    --set pixels.width=32 --set pixels.height=32 --set pixels.color=grey >/dev/null
mmcli fuse "$digits/features/manifest.jsonl" -o "$digits/digits.npz"

learn() { # NAME OPTION...: train a model, then score it on the test voices
    name=$1
    shift
    mmcli train "$digits/digits.npz" -o "$digits/$name.pt" --task classify "$@"
    mmcli evaluate "$digits/$name.pt" "$digits/digits.npz" --split test -o "$digits/$name.json" --explain 0 --quiet
}

# One core learns two of the fusions, the other learns the rest.
(learn fused-0 --seed 0; learn fused-1 --seed 1) &
other=$!
trap 'kill $other 2>/dev/null || true' EXIT
learn image --modalities image
learn audio --modalities audio
learn text --modalities text
learn fused-2 --seed 2
wait $other
trap - EXIT

# Does fusion help? One more look at the first fusion, item by item against the single modalities.
mmcli evaluate "$digits/fused-0.pt" "$digits/digits.npz" --split test -o "$digits/verdict.json" --explain 0 \
    --against "$digits/image.pt" --against "$digits/audio.pt" --against "$digits/text.pt" \
    --plot "$digits/confusion.png"

# --- reading: the same words at another pace --------------------------------------------------------------------------

reading=$out/reading
mmcli extract sample_data/reading/reading.flac sample_data/reading/reading_retimed.ogg -o "$reading" \
    --audio mfcc >/dev/null
mmcli align "$reading/reading.audio.mfcc.npz" "$reading/reading_retimed.audio.mfcc.npz" -o "$reading/map.json" \
    --method dtw --plot "$reading/map.png"
mmcli align sample_data/reading/reading.flac sample_data/reading/reading_shifted.ogg -o "$reading/shift.json" \
    --method offset

# --- clip: moving pictures and their sound ----------------------------------------------------------------------------

clip=$out/clip
mmcli extract sample_data/clip/bunny.mp4 -o "$clip" --video frames,motion --audio logmel >/dev/null
mmcli fuse "$clip/bunny.video.motion.npz" "$clip/bunny.audio.logmel.npz" -o "$clip/bunny.npz" --rate 25

# --- what came out ----------------------------------------------------------------------------------------------------

finished=$(date +%s)
"$python" - sample_data "$out" <<'EOF'
import json
import sys
from pathlib import Path
from statistics import mean

import numpy as np

from mmcli.aligners.timemap import TimeMap
from mmcli.artifacts import alignment, features

data, out = Path(sys.argv[1]), Path(sys.argv[2])


def accuracy(name):
    return json.loads((out / "digits" / f"{name}.json").read_text())["metrics"]["accuracy"]


print("\ndigits: right answers on two voices never heard before")
for name in ("image", "audio", "text", "fused-0", "fused-1", "fused-2"):
    score = accuracy(name)
    low, high = score["interval"]
    print(f"  {name:10} {score['value']:6.1%}   95 % interval {low:.1%} to {high:.1%}, {score['n']} items")
best = max(accuracy(name)["value"] for name in ("image", "audio", "text"))
together = mean(accuracy(f"fused-{seed}")["value"] for seed in range(3))
gain = 100 * (together - best)
print(f"  fused      {together:6.1%}   mean of three seeds, {gain:+.1f} points on the best single modality")

print("\nreading: distance from the known map")
found, truth = (TimeMap(alignment.load(path)) for path in (out / "reading/map.json", data / "reading/truth.json"))
at = np.arange(0.1, 26.6, 0.01)
error = 1000 * np.abs(found.to_query(at) - truth.to_query(at))
error = error[np.isfinite(error)]
print(f"  re-timed   {error.mean():5.1f} ms mean, {np.percentile(error, 95):.1f} ms for 95 % of the time")
shift = alignment.load(out / "reading/shift.json").offset_s
known = alignment.load(data / "reading/truth_shifted.json").offset_s
print(f"  shifted    {1000 * abs(shift - known):5.1f} ms ({shift:.4f} s found, {known:.4f} s known)")

print("\nclip: streams of five seconds of film")
for path in sorted((out / "clip").glob("*.npz")):
    stream = features.load(path)
    print(f"  {path.name:28} {stream.frames:4} frames of {stream.values.shape[1:]}, to {stream.times[-1]:.2f} s")
EOF

echo
echo "data set, models, reports, confusion.png: $digits"
echo "maps, and map.png, the aligned reading: $reading"
echo "features of the clip: $clip"
echo "$((finished - started)) s from the first extract to the last"
