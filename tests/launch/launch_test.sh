#!/usr/bin/env bash
# Tests the scripts of launch/ in a copy of the repository's scripts, with fakes for all that they
# call: launch_test.sh [REPOSITORY]
# shellcheck disable=SC2016  # the bodies of fakes are expanded by the fakes
set -euo pipefail

usage() { printf 'Usage: tests/launch/launch_test.sh [REPOSITORY]\n'; }

if [[ ${1:-} == --help ]]; then
  usage
  exit 0
fi
source_folder=$(cd "${1:-$(dirname "$0")/../..}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

fail() {
  printf 'FAILED: %s: %s\n' "$test_name" "$1" >&2
  failures=$((failures + 1))
}

expect_status() {
  if [[ $status != "$1" ]]; then
    fail "status $status instead of $1"
    cat "$work/out" >&2
  fi
}

# expect FILE TEXT, expect_not FILE TEXT: a line of $work/FILE has TEXT as a fixed string.
expect() {
  if ! grep -qF -- "$2" "$work/$1"; then
    fail "no \"$2\" in $1"
    cat "$work/$1" >&2
  fi
}

expect_not() {
  if grep -qF -- "$2" "$work/$1"; then fail "\"$2\" in $1"; fi
}

# fake NAME, with the body on standard input: a program that logs its call, then runs the body.
fake() {
  {
    printf '#!/usr/bin/env bash\necho "%s $*" >>"%s/calls"\n' "$1" "$work"
    cat
  } >"$work/bin/$1"
  chmod +x "$work/bin/$1"
}

# A fresh copy of the scripts, and a PATH with the fakes and the few real programs that are needed.
begin() {
  test_name=$1
  rm -rf "${work:?}"/*
  mkdir -p "$work/bin" "$work/repository"
  cp -r "$source_folder/launch" "$source_folder/.ci" "$work/repository/"
  local program
  for program in awk bash cat cp cut dirname env expand find getconf grep kill ls mkdir nproc rm \
    sed printenv setsid sleep sort tail timeout touch tr uniq wc; do
    ln -s "$(type -P "$program")" "$work/bin/$program"
  done
  : >"$work/calls"
  fake cmake <<'END'
if [[ $1 == --preset ]]; then mkdir -p build/release && touch build/release/CMakeCache.txt; fi
END
  fake ninja </dev/null
  # Prints what is on the list.
  fake dpkg-query <<END
grep -qxF -- "\${@: -1}" "$work/installed" && printf installed
END
  awk '/^(build|test) / { print $2 }' "$source_folder/launch/packages.txt" >"$work/installed"
  fake apt-get </dev/null
  # Passes the command on; "-n true" and "-v" ask whether it may.
  fake sudo <<'END'
if [[ $1 == -* ]]; then exit 0; fi
exec "$@"
END
}

# run COMMAND...: in the copy, with the fakes; sets status, and the output is $work/out.
run() {
  status=0
  (cd "$work/repository" && PATH=$work/bin "$@") >"$work/out" 2>&1 </dev/null || status=$?
}

remove_from_installed() {
  grep -vxF -- "$1" "$work/installed" >"$work/rest" || true
  mv "$work/rest" "$work/installed"
}

test_shellcheck() {
  begin shellcheck
  local scripts=("$source_folder"/launch/{build,check,quickstart,mpirun.sh,slurm/*.sbatch}
    "$source_folder/.ci/run" "$source_folder"/tests/cluster/*.sh "$0")
  if ! shellcheck "${scripts[@]}"; then
    fail "see above"
  fi
}

test_help() {
  local script
  for script in build check quickstart mpirun.sh; do
    begin "help of $script"
    run "launch/$script" --help
    expect_status 0
    expect out "Usage: ./launch/$script"
    expect_not calls "cmake --"
  done
  for script in build quickstart mpirun.sh; do
    begin "unknown argument of $script"
    run "launch/$script" --bogus
    expect_status 2
    expect out "unknown argument --bogus"
    expect_not calls "cmake --"
  done
}

test_build_installs_nothing_when_all_is_there() {
  begin "all installed"
  run launch/build
  expect_status 0
  expect_not calls apt-get
  expect calls "cmake --preset release -DLOCKSTEP_TESTS=OFF -G Ninja"
  expect calls "cmake --build build/release --target lockstep"
  run launch/build
  expect_status 0
  if [[ $(grep -c -- '-DLOCKSTEP_TESTS' "$work/calls") != 1 ]]; then
    fail "a folder that is configured loses its setting of the tests"
  fi
}

test_build_installs_what_is_missing() {
  begin "some missing"
  remove_from_installed libhwy-dev
  remove_from_installed libgtest-dev
  run launch/build
  expect_status 0
  expect out "Installing missing packages (1)"
  grep '^apt-get' "$work/calls" | tail -n 1 >"$work/install" || true
  expect install "install --no-install-recommends libhwy-dev"
  expect_not install libfmt-dev
  expect_not install libgtest-dev
  run launch/build --tests
  grep '^apt-get' "$work/calls" | tail -n 1 >"$work/install" || true
  expect install "install --no-install-recommends libhwy-dev libgtest-dev"
  expect_not install slurm-wlm
  run launch/build --slow
  grep '^apt-get' "$work/calls" | tail -n 1 >"$work/install" || true
  expect install "libhwy-dev libgtest-dev slurm-wlm munge iproute2"
  expect calls "cmake --preset release -DLOCKSTEP_TESTS=ON"
}

test_build_stops_when_apt_fails() {
  begin "apt fails"
  remove_from_installed libhwy-dev
  fake apt-get <<<'echo "E: no network"; exit 100'
  run launch/build
  expect_status 1
  expect out "E: no network"
  expect_not calls "install --no-install-recommends"
  expect_not calls "cmake --"
}

test_build_without_apt() {
  begin "no apt"
  rm "$work/bin/apt-get"
  run launch/build
  expect_status 0
  expect out "This system has no apt"
  expect out "libdnnl-dev           oneDNN 2.6 or newer"
  expect_not out "GoogleTest"
  expect calls "cmake --build build/release"
  run launch/build --tests
  expect out "GoogleTest"
}

test_build_shows_the_end_of_the_log() {
  begin "build fails"
  fake cmake <<'END'
if [[ $1 == --build ]]; then echo "x.cc:1: error: broken"; exit 7; fi
END
  run launch/build
  expect_status 1
  expect out "x.cc:1: error: broken"
  expect out "/build/build.log"
}

test_check() {
  begin "check passes"
  fake ctest <<'END'
printf '%s\n' '1/1 Test #1: x' '' '100% tests passed, 0 tests failed out of 1' 'Total 1 sec'
printenv OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM OMPI_MCA_rmaps_base_oversubscribe
END
  run .ci/run
  expect_status 0
  expect calls "cmake --preset release -DLOCKSTEP_TESTS=ON"
  expect calls "--label-exclude ^slow$"
  printf '%s\n' '100% tests passed, 0 tests failed out of 1' 'Total 1 sec' 1 1 1 >"$work/expected"
  tail -n 5 "$work/out" | cmp -s - "$work/expected" || fail "the summary is not the end"
  expect out "Next: ./launch/quickstart"
  expect_not calls apt-get
  run launch/check --slow -R proto
  expect calls "install --no-install-recommends slurm-wlm munge iproute2"
  grep '^ctest' "$work/calls" | tail -n 1 >"$work/last" || true
  expect_not last "slow"
  expect last "-R proto"

  begin "check fails"
  fake ctest <<'END'
printf '%s\n' '0% tests passed, 1 tests failed out of 1' 'Errors while running CTest'
exit 8
END
  run launch/check
  expect_status 8
  expect out "--rerun-failed"
  if [[ $(tail -n 1 "$work/out") != "Errors while running CTest" ]]; then
    fail "the summary is not the end"
  fi
}

# A program that imports by touching the dataset, and an mpirun that trains to step 700.
begin_quickstart() {
  begin "$1"
  mkdir -p "$work/repository/build/release"
  fake lockstep <<'END'
case $1 in
  import) touch "$4" ;;
  evaluate) echo "evaluated $2" ;;
  sample) echo "#include <vector>" ;;
esac
END
  mv "$work/bin/lockstep" "$work/repository/build/release/"
  fake mpirun <<'END'
mkdir -p runs/quickstart && echo '{"step":700,"epoch":1,"loss":1.5}' >>runs/quickstart/metrics.jsonl
END
}

test_quickstart() {
  begin_quickstart "quickstart"
  run launch/quickstart
  expect_status 0
  expect calls "lockstep import text --output data/quickstart.h5 --invalid replace /"
  expect calls "--oversubscribe"  # two ranks start on one core, too
  expect calls "mpirun -n 2 --bind-to none"
  expect calls "lockstep evaluate runs/quickstart/checkpoints/best.h5 --split test"
  expect out "#include <vector>"
  expect out "What to try next"
  expect_not out "finished already"

  : >"$work/calls"
  run launch/quickstart
  expect_status 0
  expect_not calls "lockstep import"
  expect out "finished already, at step 700. ./launch/quickstart --anew"

  run launch/quickstart --anew
  expect_status 0
  expect calls "lockstep import"
  expect_not out "finished already"
}

test_quickstart_series() {
  begin_quickstart "quickstart --series"
  run launch/quickstart --series
  expect_status 0
  expect calls "lockstep import series --output data/quickstart-series.h5 data/quickstart-series.csv"
  expect calls "lockstep train launch/configs/quickstart-series.textproto"
  expect calls "lockstep evaluate runs/quickstart-series/checkpoints/best.h5 --split test"
  expect calls "lockstep forecast runs/quickstart-series/checkpoints/best.h5 --plot runs/quickstart-series/forecast.svg"
  expect out "Open runs/quickstart-series/forecast.svg"
  # Two years of hours, one of them a leap year, the same ones everywhere.
  local table=$work/repository/data/quickstart-series.csv
  if [[ $(wc -l <"$table") != 17545 ]]; then fail "$(wc -l <"$table") lines of a series"; fi
  cp "$table" "$work/table"
  expect table "2024-02-29 23:00:00,"
  expect table "2023-02-28 06:00:00,69.61,-0.91"

  run launch/quickstart --series --anew
  expect_status 0
  run launch/quickstart --serious
  expect_status 2
}

test_quickstart_without_a_step() {
  begin_quickstart "no step was logged"
  fake mpirun </dev/null
  run launch/quickstart
  expect_status 0
  expect_not out "finished already"
}

test_quickstart_training_fails() {
  begin_quickstart "training fails"
  fake mpirun <<<'exit 3'
  run launch/quickstart
  expect_status 3
  expect out "status 3"
  expect_not calls "lockstep evaluate"
}

# SIGTERM to the script (Ctrl-C does the same) reaches mpirun as USR1.
test_quickstart_stops() {
  begin_quickstart "stopping"
  fake mpirun <<END
trap 'echo "got USR1" >>"$work/calls"; exit 75' USR1
kill -TERM \$PPID
while true; do sleep 0.05; done
END
  run timeout_of_60_seconds launch/quickstart
  expect_status 75
  expect calls "got USR1"
  expect out "./launch/quickstart goes on from it"
  expect_not calls "lockstep evaluate"
}

# What batch scripts cannot share by a file they share by the same text.
test_same_text() {
  begin "the same text in the scripts for clusters"
  local script part
  for script in mpirun.sh slurm/mpirun.sbatch slurm/srun.sbatch; do
    part=$work/$(basename "$script")
    sed -n '/^# ---- The same text, down to the next/,/^# ----$/p' "$source_folder/launch/$script" \
      >"$part"
    [[ $(wc -l <"$part") -gt 40 ]] || fail "no such text in $script"
    cmp "$part" "$work/mpirun.sh" || fail "$script differs"
  done
  for script in mpirun srun; do
    part=$work/$script
    sed '1,/^# ---- The same text, down to the end/d' "$source_folder/launch/slurm/$script.sbatch" \
      >"$part"
    [[ $(wc -l <"$part") -gt 40 ]] || fail "no such end of $script.sbatch"
  done
  cmp "$work/mpirun" "$work/srun" || fail "the batch scripts end otherwise"
}

# A configuration, a program, an mpirun and an srun with the body on standard input.
begin_cluster() {
  begin "$1"
  cat >"$work/body"
  fake mpirun <"$work/body"
  fake srun <"$work/body"
  fake lockstep </dev/null
  fake pgrep </dev/null
  fake lscpu <<'END'
echo '# NODE,SOCKET,CORE'
for core in 0 1 2 3 4 5 6 7; do
  printf '%s\n' "0,0,$core" "0,0,$core" "1,1,$((core + 8))" "1,1,$((core + 8))"
done
END
  # The state of the job in $work/job, and whether a requeue works in $work/requeue.
  fake scontrol <<END
if [[ \$1 == show ]]; then cat "$work/job"; else exit "\$(cat "$work/requeue")"; fi
END
  echo 'JobState=RUNNING Reason=None' >"$work/job"
  echo 0 >"$work/requeue"
  rm "$work/bin/sleep"
  fake sleep <<<'exec /bin/sleep 0.1'
  # A first line that does not count, and a name of the kind that a person writes.
  printf '%s\n' '# training { folder: "runs/other" }' 'data { path: "x.h5" }' \
    'training { folder: "runs/my run" steps: 9 }  # not folder: "runs/this"' \
    >"$work/repository/run.textproto"
  mkdir -p "$work/repository/runs/my run/checkpoints"
  touch "$work/repository/runs/my run/checkpoints/best.h5"
}

# job LAUNCHER RESTARTS: the batch script as Slurm starts it; RESTARTS 0 is the first start.
job() {
  : >"$work/calls"
  local restarts=()
  if (($2 > 0)); then restarts=(SLURM_RESTART_COUNT="$2"); fi
  run timeout_of_60_seconds env SLURM_JOB_ID=17 SLURM_NTASKS=8 SLURM_CPUS_PER_TASK=16 \
    SLURM_JOB_NODELIST='n[1-4]' "${restarts[@]}" "launch/slurm/$1.sbatch"
}

expect_end_of_chain() {
  expect_not calls "scontrol requeue"
  [[ ! -e $work/repository/lockstep-17.progress ]] || fail "lockstep-17.progress was left"
}

expect_requeue() {
  expect_status 0
  expect calls "scontrol requeue 17"
  expect out "queued again"
  expect_not out "not queued again"
}

# What a launcher does, among other things: a checkpoint 8 steps after the last.
readonly saves='touch "runs/my run/checkpoints/step-$(printf %012d \
  $(($(ls runs/*/checkpoints | wc -l) * 8))).h5"'

test_batch_job() {
  local launcher status_of_ranks
  for launcher in mpirun srun; do
    begin_cluster "$launcher: command" <<<'echo "threads $OMP_NUM_THREADS"'
    job "$launcher" 0
    expect_status 0
    expect out "threads 16"
    expect out "done, at step 0"
    expect_end_of_chain
    if [[ $launcher == mpirun ]]; then
      expect calls "mpirun -n 8 --map-by slot:PE=16 --bind-to core"
      expect calls "oob_tcp_keepalive_time"
    else
      expect calls "srun --mpi=pmix --cpus-per-task=16 --cpu-bind=cores --kill-on-bad-exit=1"
    fi
    expect calls "lockstep train run.textproto"

    for status_of_ranks in 2 3; do
      begin_cluster "$launcher: status $status_of_ranks" <<<"$saves; exit $status_of_ranks"
      job "$launcher" 0
      expect_status "$status_of_ranks"
      expect out "status $status_of_ranks"
      expect_end_of_chain
    done
    for status_of_ranks in 1 75 137 143 205; do
      begin_cluster "$launcher: status $status_of_ranks" <<<"$saves; exit $status_of_ranks"
      job "$launcher" 0
      expect_requeue
      expect out "status $status_of_ranks at step 8"
    done
  done
}

test_batch_job_without_progress() {
  local launcher restarts
  for launcher in mpirun srun; do
    begin_cluster "$launcher: no progress" <<<'exit 137'
    # What an earlier job saved is none.
    touch "$work/repository/runs/my run/checkpoints/step-000000000800.h5"
    for restarts in 0 1; do
      job "$launcher" "$restarts"
      expect_requeue
    done
    job "$launcher" 2
    expect_status 137
    expect out "no new checkpoint in runs/my run in 3 starts"
    expect_end_of_chain

    begin_cluster "$launcher: progress now and then" <<END
if ((\${SLURM_RESTART_COUNT:-0} % 3 == 2)); then $saves; fi
exit 75
END
    for restarts in 0 1 2 3 4 5 6 7; do
      job "$launcher" "$restarts"
      expect_requeue
    done
    # The starts that a lost first host ended, without a word of the script, count.
    job "$launcher" 9
    expect_status 75
    expect_end_of_chain
  done
}

test_batch_job_is_told_to_stop() {
  local launcher signal
  for launcher in mpirun srun; do
    for signal in USR1 TERM; do
      begin_cluster "$launcher: $signal" <<END
trap '$saves; echo "got USR1" >>"$work/calls"; exit 75' USR1
kill -$signal \$PPID
for _ in {1..900}; do /bin/sleep 0.05; done
END
      job "$launcher" 0
      expect calls "got USR1"
      expect_requeue
    done

    begin_cluster "$launcher: never saves" <<END
trap '' USR1 TERM
kill -USR1 \$PPID
for _ in {1..900}; do /bin/sleep 0.05; done
END
    sed -i -E 's/save_seconds=120/save_seconds=1/; s/(tell [A-Z]+) 15$/\1 1/' \
      "$work/repository/launch/slurm/$launcher.sbatch"
    job "$launcher" 0
    expect out "not saved yet: ended by force"
    expect out "status 137 at step 0"
    expect_requeue
  done

  begin_cluster "mpirun goes on without ranks" <<<'for _ in {1..900}; do /bin/sleep 0.05; done'
  fake pgrep <<<'exit 1'
  sed -i 's/> 300/> 1/' "$work/repository/launch/slurm/mpirun.sbatch"
  job mpirun 0
  expect calls "pgrep -P"
  expect out "goes on without ranks"
  expect out "status 143 at step 0"
  expect_requeue
}

test_batch_job_is_cancelled() {
  local launcher
  for launcher in mpirun srun; do
    begin_cluster "$launcher: scancel" <<<"$saves; exit 75"
    echo 'JobState=COMPLETING Reason=None' >"$work/job"
    job "$launcher" 0
    expect_status 75
    expect out "Slurm ends the job"
    expect_end_of_chain
    echo 'JobState=COMPLETING Reason=TimeLimit' >"$work/job"
    job "$launcher" 0
    expect_requeue

    echo 1 >"$work/requeue"
    job "$launcher" 0
    expect_status 75
    expect out "scontrol cannot queue the job again"
    [[ $(grep -c 'scontrol requeue' "$work/calls") == 5 ]] || fail "not tried 5 times"
  done
}

test_batch_job_cannot_start() {
  local launcher
  for launcher in mpirun srun; do
    begin_cluster "$launcher: cannot start" </dev/null
    run "launch/slurm/$launcher.sbatch"
    expect_status 2
    expect out "call sbatch"
    rm "$work/bin/lockstep"
    job "$launcher" 0
    expect_status 2
    expect out "lockstep is not in PATH"
    fake lockstep </dev/null
    rm "$work/repository/run.textproto"
    job "$launcher" 0
    expect_status 2
    expect out "run.textproto cannot be read"
    expect_not calls "train"
  done
}

test_mpirun() {
  begin_cluster "hosts" <<<'echo "threads $OMP_NUM_THREADS"'
  printf '%s\n' '# slots are cores' 'a slots=16' '' 'b slots=16 # b' 'c slots=16' >"$work/hosts"
  run launch/mpirun.sh --hostfile "$work/hosts" run.textproto --set training.seed=2
  expect_status 0
  expect out "threads 8"
  expect calls "mpirun -n 6 --hostfile $work/hosts --map-by ppr:1:numa:PE=8 --bind-to core"
  expect calls "oob_tcp_keepalive_time"
  expect calls "lockstep train run.textproto --set training.seed=2"
  run launch/mpirun.sh --ranks-per-numa 2 run.textproto
  expect calls "mpirun -n 4 --map-by ppr:2:numa:PE=4"
  run launch/mpirun.sh --ranks-per-numa 2 --ranks 3 --threads 1 run.textproto
  expect calls "mpirun -n 3 --map-by ppr:2:numa:PE=1"

  begin_cluster "wrong use" </dev/null
  local arguments
  for arguments in '' '--threads 0 run.textproto' '--threads' 'none.textproto' \
    '--hostfile none run.textproto' '--hostfile /dev/null run.textproto' \
    '--ranks-per-numa 9 run.textproto' '--restart run.textproto --resume never'; do
    # shellcheck disable=SC2086  # words
    run launch/mpirun.sh $arguments
    expect_status 2
    expect out "Usage: ./launch/mpirun.sh"
    expect_not calls "train"
  done
}

# expect_starts N: mpirun was called so often.
expect_starts() {
  local starts
  starts=$(grep -c '^mpirun' "$work/calls" || true)
  [[ $starts == "$1" ]] || fail "$starts starts instead of $1"
}

test_mpirun_restarts() {
  begin_cluster "no restart" <<<"$saves; exit 75"
  run timeout_of_60_seconds launch/mpirun.sh run.textproto
  expect_status 75
  expect_starts 1

  begin_cluster "restarts" <<END
[[ \$(grep -c ^mpirun "$work/calls") == 5 ]] && exit 0
$saves
exit 205
END
  run timeout_of_60_seconds launch/mpirun.sh --restart run.textproto
  expect_status 0
  expect_starts 5

  begin_cluster "restarts without progress" <<<'exit 205'
  run timeout_of_60_seconds launch/mpirun.sh --restart run.textproto
  expect_status 205
  expect out "no new checkpoint in runs/my run in 3 starts"
  expect_starts 3

  begin_cluster "folder on the command line" <<<'mkdir -p b/checkpoints
touch b/checkpoints/step-$(printf %012d $(ls b/checkpoints | wc -l)).h5
(($(ls b/checkpoints | wc -l) == 5)) && exit 3; exit 75'
  run timeout_of_60_seconds launch/mpirun.sh --restart run.textproto --set training.folder=b
  expect_status 3
  expect_starts 5
}

test_mpirun_stops() {
  local signal
  for signal in TERM INT HUP USR1; do
    begin_cluster "$signal" <<END
trap 'echo "got USR1" >>"$work/calls"; $saves; exit 75' USR1
kill -$signal \$PPID
for _ in {1..900}; do /bin/sleep 0.05; done
END
    run timeout_of_60_seconds launch/mpirun.sh --restart run.textproto
    expect_status 75
    expect calls "got USR1"
    expect_not out "started again"
    expect_starts 1
  done

  begin_cluster "insisting" <<END
trap 'kill -TERM \$PPID' USR1
trap 'echo "got TERM" >>"$work/calls"; exit 143' TERM
kill -TERM \$PPID
for _ in {1..900}; do /bin/sleep 0.05; done
END
  run timeout_of_60_seconds launch/mpirun.sh run.textproto
  expect_status 143
  expect calls "got TERM"
}

timeout_of_60_seconds() { "$(PATH=/usr/bin:/bin type -P timeout)" --kill-after=5 60 "$@"; }

test_shellcheck
test_help
test_build_installs_nothing_when_all_is_there
test_build_installs_what_is_missing
test_build_stops_when_apt_fails
test_build_without_apt
test_build_shows_the_end_of_the_log
test_check
test_quickstart
test_quickstart_series
test_quickstart_without_a_step
test_quickstart_training_fails
test_quickstart_stops
test_same_text
test_batch_job
test_batch_job_without_progress
test_batch_job_is_told_to_stop
test_batch_job_is_cancelled
test_batch_job_cannot_start
test_mpirun
test_mpirun_restarts
test_mpirun_stops

if ((failures > 0)); then
  printf '%d expectations failed\n' "$failures" >&2
  exit 1
fi
printf 'All expectations hold.\n'
