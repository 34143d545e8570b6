# shellcheck shell=bash
# Docker Engines: the machine's if it serves, else one unpacked from packages; older ones on demand.

MACHINE_SOCKET=/var/run/docker.sock
ENGINE_SUITE=forky # Docker Engine 28, BuildKit 0.25

engine_up() {
  mkdir -p "$RUN/engine"
  if [[ -z ${PEELBOX_TESTBED_OWN-} ]] && ! is_running engine && machine_engine_serves; then
    say "using the Docker Engine of this machine"
    unpack $ENGINE_SUITE docker-cli docker-buildx docker-registry
    ln -sfn "$MACHINE_SOCKET" "$RUN/engine/docker.sock"
    echo "Docker Engine of the machine" >"$RUN/engine/about"
  else
    unpack $ENGINE_SUITE docker.io docker-cli docker-buildx containerd tini-static docker-registry
    start_engine engine $ENGINE_SUITE
  fi
  write_docker_wrapper
}

older_engine_up() { # 26|20
  # No lists of `&&`: `set -e` does not hold inside them.
  case $1 in
    26)
      unpack trixie docker.io docker-cli containerd tini
      start_engine engine-26 trixie ;;
    20)
      unpack bookworm docker.io containerd tini libdevmapper1.02.1
      start_engine engine-20 bookworm ;;
  esac
  base_up "engine-$1"
}

# Engine 23 speaks API 1.42; the containerd image store shows as a snapshotter among the driver's facts.
machine_engine_serves() {
  local version info
  [[ -S $MACHINE_SOCKET ]] || return 1
  version=$(engine_get "$MACHINE_SOCKET" version) && info=$(engine_get "$MACHINE_SOCKET" info) || return 1
  [[ $version =~ \"ApiVersion\":\"1\.([0-9]+)\" && $info == *io.containerd.snapshotter.v1* ]] && ((BASH_REMATCH[1] >= 42))
}

engine_get() { curl -sS --max-time 10 --unix-socket "$1" "http://docker/$2"; }

start_engine() { # PIECE SUITE
  local piece=$1 suite=$2
  mkdir -p "$RUN/$piece"
  is_up "$piece" engine_get "$RUN/$piece/docker.sock" _ping && return
  [[ -e /sys/fs/cgroup/cgroup.controllers || -e /sys/fs/cgroup/devices || -e /sys/fs/cgroup/unified ]] ||
    die "no control groups are mounted at \`/sys/fs/cgroup\`"
  stop "$piece"
  step "giving $piece a bridge" bridge_up "$piece"
  write_engine_configuration "$piece"
  step "starting $piece" run_engine "$piece" "$suite"
  [[ $(engine_get "$RUN/$piece/docker.sock" version) =~ \"Version\":\"([^\"]*)\" ]]
  echo "Docker Engine ${BASH_REMATCH[1]}" >"$RUN/$piece/about"
}

run_engine() {
  local piece=$1 root=$CACHE/$2 dir=$RUN/$1
  end_leftovers "$piece"
  PATH=$root/usr/sbin:$root/usr/bin:$PATH LD_LIBRARY_PATH=$(libraries_of "$root") \
    spawn "$piece" "$root/usr/sbin/dockerd" --config-file "$dir/daemon.json"
  await "$piece" 60 engine_get "$dir/docker.sock" _ping
}

# Filtering and translation are the test bed's own few rules: two daemons that manage iptables would
# flush each other's chains.
write_engine_configuration() { # PIECE
  local dir=$RUN/$1
  cat >"$dir/daemon.json" <<TEXT
{
  "hosts": ["unix://$dir/docker.sock"],
  "pidfile": "$dir/docker.pid",
  "data-root": "$dir/data",
  "exec-root": "$dir/exec",
  "bridge": "$(cat "$dir/bridge")",
  "iptables": false,
  "ip6tables": false,
  "ip-forward": false,
  "ip-masq": false,
  "features": { "containerd-snapshotter": true },
  "builder": { "gc": { "enabled": true, "policy": [{ "keepStorage": "10GB", "all": true }] } }
}
TEXT
}

# A piece keeps its bridge and its subnet: the daemon has them in its own records too.
bridge_up() { # PIECE
  local dir=$RUN/$1 routes bridge number=0
  routes=$(ip -4 route)
  if [[ ! -s $dir/bridge ]]; then
    while [[ -e /sys/class/net/pbtb$number || $routes == *"10.213.$number."* ]]; do ((++number)); done
    echo "10.213.$number" >"$dir/subnet"
    echo "pbtb$number" >"$dir/bridge"
  fi
  bridge=$(cat "$dir/bridge")
  [[ -e /sys/class/net/$bridge ]] || ip link add "$bridge" type bridge
  ip addr replace "$(cat "$dir/subnet").1/24" dev "$bridge"
  ip link set "$bridge" up
  [[ -s $RUN/ip_forward ]] || cat /proc/sys/net/ipv4/ip_forward >"$RUN/ip_forward"
  echo 1 >/proc/sys/net/ipv4/ip_forward
  bridge_rules "$dir" add
}

# Each rule once, so that a half-made set is completed.
bridge_rules() { # DIRECTORY add|remove
  local bridge subnet rule
  bridge=$(cat "$1/bridge") subnet=$(cat "$1/subnet").0/24
  for rule in "POSTROUTING -t nat -s $subnet ! -o $bridge -j MASQUERADE" \
    "FORWARD -i $bridge -j ACCEPT" "FORWARD -o $bridge -j ACCEPT"; do
    # shellcheck disable=SC2086 # one word per argument
    case $2 in
      add) iptables -w -C $rule 2>/dev/null || iptables -w -I $rule ;;
      remove) while iptables -w -D $rule 2>/dev/null; do :; done ;;
    esac
  done
}

bridge_down() { # DIRECTORY
  [[ -s $1/bridge ]] || return 0
  bridge_rules "$1" remove
  ip link delete "$(cat "$1/bridge")" 2>/dev/null || true
}

engine_down() {
  local dir piece
  for dir in "$RUN"/engine*/; do
    [[ -f $dir/daemon.json ]] || continue
    piece=$(basename "$dir")
    step "stopping $piece" stop_engine "$piece"
  done
  # Somebody else's bridge may rely on forwarding by now.
  if [[ $(cat "$RUN/ip_forward" 2>/dev/null) == 0 && ! -e /sys/class/net/docker0 ]]; then
    echo 0 >/proc/sys/net/ipv4/ip_forward
  fi
}

stop_engine() { # PIECE
  local containers
  if is_running "$1"; then
    containers=$(docker_of "$1" ps -aq) || true
    # shellcheck disable=SC2086 # one word per container
    [[ -z $containers ]] || docker_of "$1" rm -fv $containers || true
  fi
  stop "$1"
  end_leftovers "$1"
  bridge_down "$RUN/$1"
}

# Ends what a killed dockerd leaves: its containerd, and the shims, which name that one's socket. A new
# dockerd would look for them for 20 seconds. In another root the same path is another test bed's.
end_leftovers() { # PIECE
  local exec=$RUN/$1/exec/containerd pid
  while read -r pid; do
    [[ $(readlink "/proc/$pid/exe") != */containerd* || ! /proc/$pid/root/ -ef / ]] || end_tree "$pid"
  done < <(grep -lsaF "$exec/" /proc/[0-9]*/cmdline | cut -d/ -f3)
  # The pids in there may by now be somebody else's.
  rm -f "$RUN/$1/docker.pid" "$exec/containerd.pid"
}

end_tree() { # PID
  local child children=()
  read -ra children 2>/dev/null <"/proc/$1/task/$1/children" || true
  for child in "${children[@]}"; do end_tree "$child"; done
  kill -KILL "$1" 2>/dev/null || true
}

docker_of() { # PIECE ARGUMENT...
  local piece=$1
  shift
  DOCKER_HOST=unix://$RUN/$piece/docker.sock "$RUN/engine/docker" "$@"
}

write_docker_wrapper() {
  cat >"$RUN/engine/docker" <<TEXT
#!/bin/sh
: "\${DOCKER_HOST:=unix://$RUN/engine/docker.sock}" "\${DOCKER_CONFIG:=$RUN/registry/docker-config}"
export DOCKER_HOST DOCKER_CONFIG
exec "$CACHE/$ENGINE_SUITE/usr/bin/docker" "\$@"
TEXT
  chmod +x "$RUN/engine/docker"
}

engine_environment() {
  print_variable DOCKER_HOST "unix://$RUN/engine/docker.sock"
  print_variable BUILDKIT_HOST "docker://$RUN/engine/docker.sock"
  print_variable PEELBOX_TESTBED_DOCKER "$RUN/engine/docker"
  ! is_running engine-26 || print_variable PEELBOX_TESTBED_ENGINE_26 "docker://$RUN/engine-26/docker.sock"
  ! is_running engine-20 || print_variable PEELBOX_TESTBED_ENGINE_20 "docker://$RUN/engine-20/docker.sock"
}
