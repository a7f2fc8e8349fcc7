#!/bin/sh
#SBATCH --job-name=features
#SBATCH --array=1-16
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --time=04:00:00
# sbatch slurm.sh, and again where some failed or the time ran out: what is done is not done twice.
# Where an extractor learns (texts do), once before: mmcli extract INPUT -o OUTPUT ... --fit-only
set -u
input=${INPUT:-recordings}
output=${OUTPUT:-features}

# auto: the part that belongs to this task of the array. Exit code 3 says that some inputs failed and are listed in the
# report; that is no reason to try the whole part again.
mmcli extract "$input" -o "$output" --audio logmel,mfcc --shard auto --jobs "${SLURM_CPUS_PER_TASK:-1}" > /dev/null
code=$?
[ "$code" -eq 3 ] && exit 0
exit "$code"
