#!/usr/bin/env bash
# Every C++ file is as clang-format 14 leaves it. Exit status 77: not tried.
set -euo pipefail
cd "$(dirname "$0")/../.."

if ! command -v clang-format-14 >/dev/null; then
  echo "not tried: clang-format-14 is not there"
  exit 77
fi
mapfile -t files < <(find io proto tests trainer worker -name '*.h' -o -name '*.cc' | sort)
if ((${#files[@]} < 100)); then
  echo "only ${#files[@]} files were found"
  exit 1
fi
# All in one go, and one by one only to name those that are wrong.
if clang-format-14 --dry-run --Werror "${files[@]}" 2>/dev/null; then exit 0; fi
for file in "${files[@]}"; do
  clang-format-14 --dry-run --Werror "$file" 2>/dev/null || echo "$file: run clang-format-14 -i on it"
done
exit 1
