#!/bin/sh
# Fails when bash or shellcheck finds something wrong with a script of ours or with one that occam submit writes.
cd "$1" || exit 1
scripts=$(git ls-files tests/golden/slurm)
for script in $scripts; do bash -n "$script" || exit 1; done
if ! command -v shellcheck >/dev/null; then
  echo "no shellcheck here; bash -n alone"
  exit 0
fi
# shellcheck disable=SC2086  # names without spaces
shellcheck --severity=style $scripts
