#!/usr/bin/env bash
# Trains on plain hosts, which a hostfile names, by Open MPI's mpirun. --help tells more.
set -euo pipefail

usage() {
  cat <<'END'
Usage: ./launch/mpirun.sh [OPTIONS] CONFIG [OPTIONS OF lockstep train]

Trains on the hosts of a hostfile, with each rank bound to its cores. The program and the dataset are
read on all hosts under the same paths, the run folder on the host of rank 0 only; mpirun reaches the
hosts by ssh. Hosts are taken to be like this one.

  --hostfile FILE        a host a line, as "host1 slots=16" with its number of cores (default: this
                         host alone)
  --ranks-per-numa N     ranks on each NUMA domain of each host (default: 1)
  --ranks N              ranks on all hosts together (default: what fits on them)
  --threads N            threads, and cores, of a rank (default: the cores of a NUMA domain, divided
                         among its ranks)
  --restart              start again after a lost rank or host and after a save that was not asked
                         for here, until three starts in a row have brought no new checkpoint (on
                         this host, which has to see the run folder)
  --help                 this text

Ctrl-C, SIGTERM, SIGHUP or SIGUSR1 to this script saves a checkpoint and ends with status 75; the
same command goes on from it. A second one insists. Other statuses are those of lockstep and mpirun.
END
}

wrong() {
  printf 'mpirun.sh: %s\n\n' "$1" >&2
  usage >&2
  exit 2
}

# "DOMAIN CORES" for each NUMA domain of this host.
domains() {
  LC_ALL=C lscpu --parse=NODE,SOCKET,CORE | awk -F , '
    /^#/ || seen[$0]++ { next }
    { cores[$1 == "" ? 0 : $1]++ } # no NUMA in a container
    END { for (domain in cores) print domain, cores[domain] }'
}

hostfile='' per_domain=1 ranks='' threads='' restarts=false
while (($# > 0)) && [[ $1 == -* ]]; do
  case $1 in
    --help | -h) usage && exit 0 ;;
    --restart) restarts=true ;;
    --hostfile | --ranks-per-numa | --ranks | --threads)
      (($# > 1)) || wrong "$1 needs a value"
      case $1 in
        --hostfile) hostfile=$2 ;;
        *) [[ $2 =~ ^[1-9][0-9]{0,5}$ ]] || wrong "$1 takes a number from 1, not $2" ;;&
        --ranks-per-numa) per_domain=$2 ;;
        --ranks) ranks=$2 ;;
        --threads) threads=$2 ;;
      esac
      shift
      ;;
    *) wrong "unknown argument $1" ;;
  esac
  shift
done
(($# > 0)) || wrong 'no configuration'
config=$1
[[ -r $config ]] || wrong "$config cannot be read"
[[ -z $hostfile || -r $hostfile ]] || wrong "$hostfile cannot be read"
if $restarts && [[ " ${*:2}" == *' --resume'* ]]; then
  wrong '--restart goes on from the newest checkpoint: it cannot be combined with --resume'
fi
for program in mpirun pgrep setsid lscpu lockstep; do
  command -v "$program" >/dev/null || wrong "$program is not in PATH"
done

hosts=1
if [[ -n $hostfile ]]; then
  hosts=$(sed 's/#.*//' "$hostfile" | awk 'NF && !seen[$1]++ { n++ } END { print n + 0 }')
  ((hosts > 0)) || wrong "$hostfile names no host"
fi
: "${ranks:=$((hosts * per_domain * $(domains | wc -l)))}"
if [[ -z $threads ]]; then
  cores=$(domains | sort -n -k 2 | awk 'NR == 1 { print $2 }')
  threads=$((cores / per_domain))
fi
((threads > 0)) || wrong "--ranks-per-numa $per_domain: more ranks than cores in a NUMA domain"

# mpirun runs out of the terminal's reach: a Ctrl-C, a SIGTERM and a SIGHUP of its own make it kill
# the ranks within two seconds, before they can save. USR1 it hands on. The options
# oob_tcp_keepalive_* let it see after a minute that a host no longer answers (by default after 8).
export OMP_NUM_THREADS=$threads
command=(setsid mpirun -n "$ranks" ${hostfile:+--hostfile "$hostfile"}
  --map-by "ppr:$per_domain:numa:PE=$threads" --bind-to core
  -x OMP_NUM_THREADS -x PATH
  --mca oob_tcp_keepalive_time 20 --mca oob_tcp_keepalive_intvl 5 --mca oob_tcp_keepalive_probes 8
  lockstep train "$@")

# After it has lost a host and ended its ranks mpirun can wait for ever. Only ranks of this host, if
# it has any, tell of that: they are children of mpirun.
last_seen=''
has_lost_its_ranks() {
  if pgrep -P "$1" -x lockstep >/dev/null; then last_seen=$SECONDS; fi
  [[ -n $last_seen ]] && ((SECONDS - last_seen > 300))
}

# ---- The same text, down to the next such line, in launch/slurm/*.sbatch and launch/mpirun.sh:
# ---- a batch script is copied, by people and by Slurm, and has no file beside it.

say() { printf '%(%F %T)T lockstep job: %s\n' -1 "$*" >&2; }

find_run_folder() {
  local folder='s/^[^#]*\bfolder[[:space:]]*:[[:space:]]*["'\'']([^"'\'']+).*/\1/p'
  run_folder=$(sed -nE "$folder" "$config" | tail -n 1)
  run_folder=${run_folder:-runs/lockstep}
}

# The step of the newest checkpoint, 0 before the first.
saved_step() {
  local checkpoint step=0
  for checkpoint in "$run_folder"/checkpoints/step-*.h5; do
    if [[ $checkpoint =~ /step-0*([0-9]+)\.h5$ ]]; then step=${BASH_REMATCH[1]}; fi
  done
  echo "$step"
}

# When a checkpoint was last written, in seconds; 0 before the first. A step is saved again when more
# of its evaluation is done.
saved_at() {
  local at
  at=$(stat -c %Y "$run_folder"/checkpoints/step-*.h5 2>/dev/null | sort -n | tail -n 1) || true
  echo "${at:-0}"
}

# run COMMAND...: until it has ended, with status set to how. Once `signals` (which the traps only
# count: bash runs a trap in the middle of anything) is not 0, COMMAND gets the USR1 that asks the
# ranks to save and end. What has not ended save_seconds after it, or hangs, is killed.
run() {
  local pid told='' deadline=0
  "$@" </dev/null &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    if [[ -z $told ]] && ((signals > 0)); then
      say 'told to stop: the ranks save and end'
      tell USR1 "$save_seconds"
    elif [[ $told == USR1 ]] && ((signals > 1 || SECONDS >= deadline)); then
      say 'not saved yet: ended by force'
      tell TERM 15
    elif [[ $told == TERM ]] && ((SECONDS >= deadline)); then
      tell KILL 15
    elif [[ $told == KILL ]] && ((SECONDS >= deadline)); then
      status=137 # not even SIGKILL ends it
      return
    elif [[ $told != TERM && $told != KILL ]] && has_lost_its_ranks "$pid"; then
      say 'goes on without ranks: ended by force'
      tell TERM 15
    fi
    sleep 5 &
    wait "$!" || true # a signal ends the wait
  done
  status=0
  wait "$pid" || status=$?
}

# tell SIGNAL SECONDS: sends it to run's command, which may take that long.
tell() {
  kill -s "$1" "$pid" 2>/dev/null || true
  told=$1 deadline=$((SECONDS + $2))
}

# ----

trap 'signals=$((signals + 1))' USR1 INT TERM HUP
signals=0 save_seconds=600 fruitless=0
find_run_folder
for argument in "${@:2}"; do
  if [[ $argument =~ training\.folder=(.+) ]]; then run_folder=${BASH_REMATCH[1]}; fi
done

while true; do
  before=$(saved_step) before_at=$(saved_at)
  last_seen=''
  run "${command[@]}"
  after=$(saved_step) after_at=$(saved_at)
  if [[ $status =~ ^[023]$ ]] || ((signals > 0)) || ! $restarts; then break; fi
  fruitless=$((after > before || after_at > before_at ? 0 : fruitless + 1))
  if ((fruitless >= 3)); then
    say "status $status, and no new checkpoint in $run_folder in 3 starts: not started again"
    break
  fi
  say "status $status at step $after: started again in 10 s"
  sleep 10 &
  wait "$!" || true
  if ((signals > 0)); then break; fi
done
if ((status != 0)); then say "ended with status $status at step $(saved_step)"; fi
exit "$status"
