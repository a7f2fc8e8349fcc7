#!/bin/sh
# What to show next, also what nobody has seen yet. Meant to be read: it is the tutorial of `train --task rank`.
#
#     sh sample_data/recommend.sh [FOLDER]      # results go to FOLDER, else to ./recommend-out; FOLDER/report.json last
#
# movies/ holds real ratings (MovieLens) with vectors of plots, posters and genres. stamps/ holds real pictures, sounds
# and descriptions, with ratings that are PLANTED by a stated rule (recommend_data.py): sound carries taste, nothing
# else does, and the report has to find that out.
# The first run makes a virtual environment in .venv at the root of the checkout and installs mmcli there.
# MMCLI=/path/to/mmcli uses an installed one instead (its Python is looked for beside it, or named by PYTHON).
set -eu

here=$PWD
cd "$(dirname "$0")/.."
out=${1:-recommend-out}
case $out in
    /*) ;;
    *) [ "$here" = "$PWD" ] || out=$here/$out ;;
esac

. sample_data/program.sh # installed, if needed

started=$(date +%s)
mkdir -p "$out"

# --- stamps: which modality carries taste? (planted: sound) -------------------------------------------------------------

stamps=$out/stamps
mmcli extract sample_data/stamps/items.csv -o "$stamps/features" --image pixels --audio mfcc --text tfidf \
    --set pixels.width=16 --set pixels.height=16 >/dev/null
mmcli fuse "$stamps/features/manifest.jsonl" -o "$stamps/items.npz"
mmcli train "$stamps/items.npz" --task rank --events sample_data/stamps/events.csv -o "$stamps/rec.pt"
mmcli evaluate "$stamps/rec.pt" "$stamps/items.npz" --events sample_data/stamps/events.csv -o "$stamps/report.json" \
    --html "$stamps/report.html" --media sample_data/stamps/items.csv

# --- movies: real people, real films ------------------------------------------------------------------------------------
# Vectors of one's own need no extraction: a cell such as plot.npy#7 is row 7 of an array.

mmcli fuse sample_data/movies/items.csv -o "$out/movies.npz"
mmcli train "$out/movies.npz" --task rank --events sample_data/movies/events.csv --positive 'rating>=4' -o "$out/rec.pt"

# A user is a history. Here is one: Toy Story, Star Wars, Pulp Fiction, and three films for it, with the reasons.
printf '{"user": "you", "history": ["1", "260", "296"]}\n' >"$out/you.jsonl"
mmcli predict "$out/rec.pt" "$out/you.jsonl" -k 3 --explain

mmcli evaluate "$out/rec.pt" "$out/movies.npz" --events sample_data/movies/events.csv -o "$out/report.json" \
    --html "$out/report.html" --media sample_data/movies/items.csv

# --- what came out ------------------------------------------------------------------------------------------------------

finished=$(date +%s)
"$python" - "$out" <<'PY'
import json
import sys
from pathlib import Path

out = Path(sys.argv[1])
for name, path in (("stamps (events planted: sound)", "stamps/report.json"), ("movies (real)", "report.json")):
    report = json.loads((out / path).read_text())
    print(f"\n{name}\n  {report['verdict']['text']}")
PY

echo
echo "reports and pages: $out/report.json, $out/report.html, $stamps/report.html"
echo "$((finished - started)) s from the first extract to the last report"
