#!/usr/bin/env bash
# Tests the scripts of launch/ in a copy of the repository's scripts, with fakes for all that they
# call: launch_test.sh [REPOSITORY]
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
    sed printenv setsid sleep sort tail touch tr; do
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
  local scripts=("$source_folder"/launch/{build,check,quickstart} "$source_folder/.ci/run" "$0")
  if ! shellcheck "${scripts[@]}"; then
    fail "see above"
  fi
}

test_help() {
  local script
  for script in build check quickstart; do
    begin "help of $script"
    run "launch/$script" --help
    expect_status 0
    expect out "Usage: ./launch/$script"
    expect_not calls "cmake --"
  done
  for script in build quickstart; do
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
  run launch/check --slow -R proto
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

timeout_of_60_seconds() { "$(PATH=/usr/bin:/bin type -P timeout)" 60 "$@"; }

test_shellcheck
test_help
test_build_installs_nothing_when_all_is_there
test_build_installs_what_is_missing
test_build_stops_when_apt_fails
test_build_without_apt
test_build_shows_the_end_of_the_log
test_check
test_quickstart
test_quickstart_without_a_step
test_quickstart_training_fails
test_quickstart_stops

if ((failures > 0)); then
  printf '%d expectations failed\n' "$failures" >&2
  exit 1
fi
printf 'All expectations hold.\n'
