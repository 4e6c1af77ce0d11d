#!/usr/bin/env bash
# Trains by launch/slurm/*.sbatch in a Slurm of our own, through time limits and the loss of a rank,
# and compares with a run that was never stopped; and on two hosts of two ranks, and compares with a
# run of four ranks on one host: slurm_test.sh LOCKSTEP MPIRUN REPOSITORY
set -euo pipefail

if (($# != 3)); then
  printf 'Usage: tests/cluster/slurm_test.sh LOCKSTEP MPIRUN REPOSITORY\n' >&2
  if [[ ${1:-} == --help ]]; then exit 0; fi
  exit 2
fi
PATH=$(dirname "$1"):$(dirname "$2"):$PATH
repository=$3
slurm=$repository/tests/cluster/private_slurm.sh
readonly launchers='mpirun srun' skipped=77

work=$(mktemp -d)
trap 'exit 1' INT TERM HUP
trap '"$slurm" down "$work/slurm"; rm -rf "$work"' EXIT

# For the test alone: root, and ranks of several hosts that share a processor.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1
unset OMPI_MCA_rmaps_base_oversubscribe
export OMP_NUM_THREADS=1 TMPDIR=$work

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  tail -n 100 "$work"/*/*.log "$work"/slurm/log/* >&2 || true
  exit 1
}

find_python() {
  for python in python3 /usr/bin/python3; do
    if "$python" -c 'import h5py, numpy' 2>/dev/null; then return; fi
  done
  printf 'no Python with h5py\n' >&2
  exit "$skipped"
}

# The repository's own sources; a folder for each run, so that configurations are equal, too.
# make_run NAME STEPS
make_run() {
  mkdir "$work/$1"
  cat >"$work/$1/mine.textproto" <<END
data       { path: "../corpus.h5"  lanes: 8  time_steps: 32 }
model      { embedding_size: 32  cell: LSTM  layers: 2  hidden_size: 96  dropout: 0.2 }
optimizer  { adam { }  learning_rate: 0.002  schedule { cosine { }  warmup_steps: 10 } }
training   { folder: "runs/mine"  steps: $2  seed: 1 }
evaluation { every_steps: $(($2 / 3)) }
checkpoint { every_steps: $(($2 / 7))  every_minutes: 0  keep: 2 }
END
}

# train NAME LAUNCHER...: on the controller, whose namespace the end of the test clears.
train() {
  (cd "$work/$1" && "$slurm" on "$work/slurm" control "${@:2}" lockstep train mine.textproto) \
    >"$work/$1/train.log" 2>&1 </dev/null || fail "training in $1: status $?"
}

# Sets steps to what takes so many seconds in the Slurm when the machine has nothing else to do.
count_steps() {
  local seconds=$1 trial=300 speed
  make_run trial "$trial"
  train trial srun --nodes=2 --ntasks=2 --mpi=pmix --cpu-bind=cores
  speed=$("$python" - "$work/trial/runs/mine/metrics.jsonl" <<'END'
import json, statistics, sys
speeds = [json.loads(line)["tokens_per_second"] for line in open(sys.argv[1])]
print(int(statistics.quantiles(speeds, n=10)[-1] / (8 * 32)))
END
  )
  steps=$((speed * seconds))
  printf '%d steps a second: %d steps\n' "$speed" "$steps"
}

# The shipped script with the person's three lines edited.
submit() {
  make_run "$1" "$steps"
  sed -e 's/^#SBATCH --partition=.*/#SBATCH --partition=main --time=4/' \
    -e 's/^#SBATCH --nodes=.*/#SBATCH --nodes=2 --ntasks-per-node=1 --cpus-per-task=1/' \
    -e 's/^config=.*/config=mine.textproto/' "$repository/launch/slurm/$1.sbatch" \
    >"$work/$1/$1.sbatch"
  local changed
  changed=$(diff "$repository/launch/slurm/$1.sbatch" "$work/$1/$1.sbatch" | grep -c '^>' || true)
  ((changed == 3)) || fail "$changed lines of $1.sbatch were edited instead of 3"
  (cd "$work/$1" && "$slurm" on "$work/slurm" control sbatch "$1.sbatch")
}

# Kills a rank of the run, once: when its second start has read the checkpoint of the first.
kill_a_rank() {
  local rank
  if [[ -e $work/$1/killed ]] ||
    (($(cat "$work/$1"/lockstep-*.log 2>/dev/null | grep -c '^going on from') == 0)); then
    return
  fi
  for rank in $(pgrep -x lockstep); do
    if [[ $(readlink "/proc/$rank/cwd") == "$work/$1" ]] && kill -KILL "$rank"; then
      touch "$work/$1/killed"
      return
    fi
  done
}

wait_for_jobs() {
  local deadline=$((SECONDS + $1)) jobs=some launcher
  while [[ -n $jobs ]]; do
    ((SECONDS < deadline)) || fail "after $1 s there are still jobs: $jobs"
    for launcher in $launchers; do kill_a_rank "$launcher"; done
    sleep 2
    jobs=$("$slurm" on "$work/slurm" control squeue --noheader --format='%i %j %T %r')
  done
}

check_run() {
  local log limits losses
  log=$(echo "$work/$1"/lockstep-*.log)
  limits=$(grep -c 'status 75 at step [0-9]*: queued again' "$log" || true)
  losses=$(grep -cE 'status 1(37|43) at step [0-9]*: queued again' "$log" || true)
  ((limits >= 1)) || fail "$1 never met its time limit"
  ((losses == 1)) || fail "$1 lost ranks $losses times instead of once"
  (($(grep -c 'queued again' "$log") == limits + losses)) || fail "$1 was queued otherwise"
  grep -q "done, at step $steps" "$log" || fail "$1 was not trained to the end"
  grep -q '2 rank(s) on n1 x 1, n2 x 1; 1 thread(s) each' "$log" || fail "$1: ranks or threads"
  [[ -z $(find "$work/$1" -name '*.progress') ]] || fail "$1 left its progress behind"
  "$python" "$repository/tests/cluster/compare_runs.py" \
    "$work/reference/runs/mine" "$work/$1/runs/mine" || fail "$1 trained otherwise"
  printf '%s: %d time limits, one rank lost\n' "$1" "$limits"
}

# Where hosts have several ranks, gradients are added on each host first: the same bits as where
# four ranks of one host add them.
check_hosts_of_two() {
  make_run pairs 63
  train pairs mpirun -n 4 --oversubscribe --bind-to none
  make_run hosts 63
  train hosts srun --nodes=2 --ntasks=4 --ntasks-per-node=2 --mpi=pmix --cpu-bind=none
  grep -q '4 rank(s) on n1 x 2, n2 x 2; 1 thread(s) each' "$work/hosts/train.log" ||
    fail 'hosts: ranks or threads'
  grep -q 'gradients: added on each host, then between hosts' "$work/hosts/train.log" ||
    fail 'hosts: gradients went otherwise'
  "$python" "$repository/tests/cluster/compare_runs.py" \
    "$work/pairs/runs/mine" "$work/hosts/runs/mine" || fail 'hosts trained otherwise'
  printf 'two hosts of two ranks: as four ranks of one host\n'
}

main() {
  find_python
  "$slurm" up "$work/slurm" || exit $?
  lockstep import text --output "$work/corpus.h5" --split 90,10 "$repository"/{io,trainer,worker}
  check_hosts_of_two
  # USR1 comes between 30 and 60 s after the start.
  count_steps 70
  local launcher
  for launcher in $launchers; do submit "$launcher"; done
  make_run reference "$steps"
  train reference mpirun -n 2 --oversubscribe --bind-to none &
  local reference=$!
  wait_for_jobs 1500
  wait "$reference" || exit 1
  for launcher in $launchers; do check_run "$launcher"; done
}

main
