#!/bin/sh
# Fails when clang-format would change a file, and names it.
cd "$1" || exit 1
git ls-files '*.cc' '*.h' '*.cu' '*.cuh' | xargs clang-format --dry-run -Werror
