#!/bin/sh
# The whole job on a drawn sample: what `make demo` runs, and what you would run on COCO itself.
# Everything lands in one folder; a finished step is skipped when the demo is started again.
set -eu
demo=${1:-demo}
mkdir -p "$demo"
cd "$demo"
unset COCO_ROOT  # it may name another COCO
export COCOAD_CACHE="$(pwd)/cache"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"  # beside other work a second one costs more than it gives

step() { printf '\n$ %s\n' "$*"; "$@"; }

[ -d coco ] || step cocoad sample coco
[ -d coco-ad ] || step cocoad build --coco-root coco
step cocoad verify --deep
step cocoad show --split 0 --out sheet.png

small="--split 0 --weights offline --backbone tf_efficientnet_lite0 --image-size 64"
step bench run --method mean-image $small
step bench run --method patchcore $small --set options.memory_bank=4000
printf '\nPatchCore remembers what it saw; InvAD learns it. From 172 images that takes many epochs at a high rate; COCO-AD has 30,000.\n'
step bench run --method invad-lite $small --preset fast --epochs 40 --batch-size 8 --learning-rate 0.002

step bench leaderboard runs
bench leaderboard runs --format csv --out leaderboard.csv
step bench report runs --out report

printf '\nEverything is in %s: coco (drawn), coco-ad (built), sheet.png, runs, leaderboard.csv\n' "$(pwd)"
printf 'Open %s/report/index.html in a browser.\n' "$(pwd)"
