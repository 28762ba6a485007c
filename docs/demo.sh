#!/bin/sh
# The whole job on a drawn sample: what `make demo` runs, and what you would run on COCO itself.
# Everything lands in one folder; a finished step is skipped when the demo is started again.
set -eu
demo=${1:-demo}
mkdir -p "$demo"
cd "$demo"

step() { printf '\n\033[1m$ %s\033[0m\n' "$*"; "$@"; }

[ -d coco ] || step cocoad sample coco
[ -d coco-ad ] || step cocoad build --coco-root coco
step cocoad verify --deep
step cocoad stats --figure stats.png
step cocoad show --split 0 --out sheet.png

small="--split 0 --weights offline --backbone tf_efficientnet_lite0 --image-size 128"
step bench run --method mean-image $small --no-cache
step bench run --method invad-lite $small --preset fast
step bench run --method padim $small

step bench leaderboard runs
bench leaderboard runs --format csv --out leaderboard.csv
step bench report runs --out report

printf '\nEverything is in %s:\n' "$(pwd)"
printf '  %-18s %s\n' coco/ "the drawn COCO" coco-ad/ "the dataset built from it" sheet.png "masks to look at" \
  stats.png "what is in it" runs/ "one folder per run" leaderboard.csv "the ranking" report/index.html "open me"
