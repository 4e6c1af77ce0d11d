#!/usr/bin/env bash
# Runs test programs on a machine that plays a lesser one. --help tells more.
set -euo pipefail

if [[ ${1:-} == --help || $# -lt 3 ]]; then
  cat <<'END'
Usage: under_instruction_set.sh SET FOLDER PROGRAM...

Runs the test programs of FOLDER, one after another, under ONEDNN_MAX_CPU_ISA=SET, which limits
oneDNN's kernels and our own. Exits with 77 where this machine does not have SET.
END
  exit 2
fi

set=$1 folder=$2
shift 2
if ! "$folder/instruction_sets" | grep -qx "$set"; then
  printf 'skipped: this processor has no %s\n' "$set"
  exit 77
fi
failed=()
for program in "$@"; do
  if ! output=$(ONEDNN_MAX_CPU_ISA=$set "$folder/$program" --gtest_brief=1 2>&1); then
    printf '%s\n' "$output"
    failed+=("$program")
  fi
done
if ((${#failed[@]} > 0)); then
  printf 'failed under %s: %s\n' "$set" "${failed[*]}"
  exit 1
fi
printf '%d programs passed under %s\n' $# "$set"
