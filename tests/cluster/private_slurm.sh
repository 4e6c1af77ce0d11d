#!/usr/bin/env bash
# A Slurm of its own on one machine, for tests. --help tells more.
set -euo pipefail

usage() {
  cat <<'END'
Usage: tests/cluster/private_slurm.sh up FOLDER | on FOLDER NODE COMMAND... | down FOLDER

  up     starts munged, slurmctld and two slurmd of two processors each, with all their files in the
         new folder FOLDER. The controller (control) and the nodes (n1, n2) each have a network
         namespace with an address, a host name and a /dev/shm of its own; a bridge in a fourth
         joins them, and no packet leaves it. Nothing of the machine's own Slurm, munge or network
         is used or changed.
  on     runs COMMAND on one of them: sbatch, squeue, a look at its processes
  down   ends the daemons, the jobs and all else that runs in the namespaces, and removes these.
         FOLDER stays.

Needs root, slurm-wlm, munge and iproute2 (./launch/check --slow installs them). Status 77: it cannot
work here; the message says why.
END
}

readonly nodes='n1 n2' processors=2
readonly subnet=10.77.0

cannot() {
  printf 'private_slurm.sh: no Slurm of our own here: %s\n' "$1" >&2
  exit 77
}

# Namespaces are the machine's: their names tell the Slurm of one folder from that of another.
namespace() { printf 'lockstep-%s-%s' "$folder_sum" "$1"; }

# nsenter, not "ip netns exec": that hides /sys/fs/cgroup, and slurmd 22.05 does not start without.
on() {
  local node=$1
  shift
  # shellcheck disable=SC2016  # the inner shell's own arguments
  SLURM_CONF=$folder/slurm.conf nsenter --net="/run/netns/$(namespace "$node")" \
    unshare --uts --mount sh -c \
    'mount --bind "$1" /etc/hosts && mount -t tmpfs none /dev/shm && hostname "$0" && shift &&
     exec "$@"' \
    "$node" "$folder/hosts" "$@"
}

check_needs() {
  [[ $EUID == 0 ]] || cannot 'not root'
  local program
  for program in munged slurmctld slurmd sbatch ip nsenter unshare; do
    command -v "$program" >/dev/null || cannot "$program is not installed"
  done
  unshare --net --uts --mount true 2>/dev/null || cannot 'namespaces are not allowed'
}

make_network() {
  local bridge address=1 node
  bridge=$(namespace bridge)
  ip netns add "$bridge" || cannot 'no network namespace can be made'
  ip -n "$bridge" link add br0 type bridge || cannot 'the kernel has no bridge'
  ip -n "$bridge" link set br0 up
  printf '127.0.0.1 localhost\n' >"$folder/hosts"
  for node in control $nodes; do
    local inside
    inside=$(namespace "$node")
    ip netns add "$inside"
    ip link add eth0 netns "$inside" type veth peer name "$node" netns "$bridge" ||
      cannot 'the kernel has no veth'
    ip -n "$bridge" link set "$node" master br0 up
    ip -n "$inside" link set lo up
    ip -n "$inside" address add "$subnet.$address/24" dev eth0
    ip -n "$inside" link set eth0 up
    printf '%s.%d %s\n' "$subnet" "$address" "$node" >>"$folder/hosts"
    address=$((address + 1))
  done
}

# A requeued job waits for cred_expire (120 s by default). Without cgroups, which need a systemd.
write_configuration() {
  cat >"$folder/slurm.conf" <<END
ClusterName=lockstep
SlurmctldHost=control($subnet.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool/%n
TmpFS=$folder/tmp/%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd-%n.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/affinity
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0,requeue_delay=0
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=10
MessageTimeout=10
SlurmdTimeout=20
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
  local node
  for node in $nodes; do
    printf 'NodeName=%s NodeAddr=%s CPUs=%d State=UNKNOWN\n' "$node" \
      "$(awk -v node="$node" '$2 == node { print $1 }' "$folder/hosts")" "$processors"
  done >>"$folder/slurm.conf"
}

# start NODE NAME COMMAND...: a daemon in the foreground of a session of its own.
start() {
  local node=$1 name=$2
  shift 2
  on "$node" setsid "$@" </dev/null >"$folder/log/$name.out" 2>&1 &
}

ready() { [[ $(on control sinfo -h -N -t idle -o %N 2>/dev/null | sort -u | wc -l) == 2 ]]; }

up() {
  check_needs
  if [[ -e $folder/slurm.conf ]]; then
    printf 'private_slurm.sh: %s is in use\n' "$folder" >&2
    exit 2
  fi
  mkdir -p "$folder"/{log,munge,spool,state,tmp}
  chmod 755 "$folder" "$folder/munge"
  make_network
  write_configuration
  (umask 077 && head -c 1024 /dev/urandom >"$folder/munge/key")
  # By force: it would refuse a socket below a folder that others cannot enter, as mktemp makes it.
  start control munged munged --foreground --force --key-file="$folder/munge/key" \
    --socket="$folder/munge/socket" --pid-file="$folder/munge/pid" \
    --log-file="$folder/log/munged.log" --seed-file="$folder/munge/seed"
  start control slurmctld slurmctld -D -c
  local node
  for node in $nodes; do
    mkdir "$folder/tmp/$node"
    start "$node" "slurmd-$node" slurmd -D -N "$node"
  done
  local deadline=$((SECONDS + 60))
  until ready; do
    if ((SECONDS >= deadline)); then
      printf 'private_slurm.sh: the nodes did not come up within 60 s\n' >&2
      tail -n 5 "$folder"/log/*.out >&2
      exit 1
    fi
    sleep 0.2
  done
}

# All that runs in the namespaces is ours: daemons, steps, ranks.
down() {
  local node pids pass
  for pass in TERM KILL KILL; do
    for node in $nodes control bridge; do
      mapfile -t pids < <(ip netns pids "$(namespace "$node")" 2>/dev/null || true)
      if ((${#pids[@]} > 0)); then kill "-$pass" "${pids[@]}" 2>/dev/null || true; fi
    done
    sleep 0.5
  done
  for node in $nodes control bridge; do
    ip netns delete "$(namespace "$node")" 2>/dev/null || true
  done
}

main() {
  case ${1:-} in
    --help | -h) usage && exit 0 ;;
    up | down) (($# == 2)) || { usage >&2 && exit 2; } ;;
    on) (($# >= 4)) || { usage >&2 && exit 2; } ;;
    *) usage >&2 && exit 2 ;;
  esac
  folder=$(readlink -m "$2")
  folder_sum=$(cksum <<<"$folder" | cut -d ' ' -f 1)
  "$1" "${@:3}"
}

main "$@"
