#!/usr/bin/env bash
# Check what a branch adds to this leaderboard, and build its site: ./check.sh [BASE]   (default: origin/main)
# ./check.sh --site only builds it: every submission is scored again, and nothing is said of who changed what.
# Exits with 0 when all is well, 1 when something is wrong, 2 when it could not be checked.
set -euo pipefail
cd "$(dirname "$0")"
most_mb=12
wrong=0
site() { exec bench site results --truth truth --out site; }
say() { echo "$*" >&2; wrong=1; }

(cd truth && sha256sum --check --quiet SHA256SUMS) || exit 2
[ "${1:-}" != --site ] || site
base=$(git merge-base "${1:-origin/main}" HEAD) || exit 2

while IFS= read -r -d '' file; do
  [ "$(git cat-file -s "HEAD:$file")" -le $((most_mb * 1000000)) ] || say "refused: $file is larger than $most_mb MB"
done < <(git diff -z --name-only --no-renames --diff-filter=d "$base" HEAD)

while IFS= read -r -d '' file; do
  say "refused: $file is of an earlier submission; make a new folder whose submission.json has \"replaces\""
done < <(git diff -z --name-only --no-renames --diff-filter=a "$base" HEAD -- results)

while IFS= read -r -d '' file; do
  say "refused: $file lies in no folder; a submission has one of its own"
done < <(git diff -z --name-only --no-renames --diff-filter=A "$base" HEAD -- ':(glob)results/*')

added=()
while IFS= read -r -d '' name; do
  added+=("results/$name")
done < <(git diff -z --name-only --no-renames --diff-filter=A "$base" HEAD -- 'results/*/*' | cut -z -d/ -f2 | sort -zu)

if [ ${#added[@]} -gt 0 ]; then
  if ! git diff --quiet "$base" HEAD -- . ':(exclude)results'; then
    say "refused: it adds a submission and changes something outside results/"
  fi
  code=0
  bench verify-submission "${added[@]}" --truth truth --beside results --max-mb "$most_mb" --new || code=$?
  [ "$code" -le 1 ] || exit "$code"
  [ "$code" -eq 0 ] || wrong=1
fi
[ "$wrong" -eq 0 ] || exit 1
site
