# shellcheck shell=bash
# Containers that `docker-container://` reaches, on roots made here: standalone BuildKit, or an Engine in
# which `peelbox dial-stdio` takes the place of `buildctl dial-stdio`.

declare -A CONTAINERS=([container]=peelbox-testbed-buildkitd [container-engine]=peelbox-testbed-engine)

container_up() { # buildkit|engine
  local piece=container made code
  [[ $1 == buildkit ]] || piece=container-engine
  mkdir -p "$RUN/$piece"
  if [[ $piece == container && -z $(newest_built) ]]; then
    # Not as a condition: `set -e` would not hold inside.
    set +e
    (set -e && buildkit_up latest)
    code=$?
    set -e
    if [[ $code != 0 ]]; then
      say "no standalone BuildKit could be built: the container gets an Engine"
      container_up engine
      return
    fi
  fi
  if [[ $piece == container-engine ]]; then
    # An Engine of the machine serves without these.
    [[ -x $CACHE/$ENGINE_SUITE/usr/sbin/dockerd ]] ||
      unpack "$ENGINE_SUITE" docker.io docker-cli docker-buildx containerd tini-static docker-registry
    step "giving $piece a bridge" bridge_up "$piece"
    write_inner_configuration
    step "building peelbox for $piece" build_dial
  fi
  made=$(image_of "$piece")
  is_container_up "$piece" "$made" && return
  docker_of engine image inspect "$made" >/dev/null 2>&1 || step "making the image $made" make_image "$piece" "$made"
  step "starting the container ${CONTAINERS[$piece]}" start_container "$piece" "$made"
  echo "container $made" >"$RUN/$piece/about"
}

# The tag says what is inside, so that an image is made anew when that changes.
image_of() { # PIECE
  local tag
  if [[ $1 == container ]]; then
    tag=$(newest_built)
  else
    tag=$(cat "$CACHE/$ENGINE_SUITE/complete" "$RUN/$1/daemon.json" "$CACHE/dial-stdio" | sha256sum | cut -c 1-12)
  fi
  echo "${CONTAINERS[$1]}:$tag"
}

# peelbox as the container's `buildctl`, built before `image_of` looks at it.
build_dial() {
  local built program
  built=$(cargo build --quiet --locked --manifest-path "$REPOSITORY/Cargo.toml" --bin peelbox \
    --message-format json-render-diagnostics)
  program=$(grep -o '"executable":"[^"]*/peelbox"' <<<"$built" | cut -d'"' -f4)
  cmp -s "$program" "$CACHE/dial-stdio" || { rm -f "$CACHE/dial-stdio" && cp "$program" "$CACHE/dial-stdio"; }
}

# A root holds the programs, their libraries, and certificates.
make_image() { # PIECE IMAGE
  local root=$RUN/$1/root entry=()
  rm -rf "$root" && mkdir -p "$root"/{usr/bin,etc/ssl/certs,tmp,run,var/lib/buildkit,var/lib/docker}
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  chmod 1777 "$root/tmp"
  install_program "$root" "$(command -v runc)" runc
  if [[ $1 == container ]]; then
    install_buildkit "$root"
    entry=(--change 'ENTRYPOINT ["buildkitd"]')
  else
    install_engine "$root"
    entry=(--change 'ENTRYPOINT ["dockerd", "--config-file", "/etc/docker/daemon.json"]'
      --change 'ENV BUILDKIT_HOST=docker:///run/docker.sock')
  fi
  docker_of engine rm -f "${CONTAINERS[$1]}" || true
  remove_images "$1"
  tar -C "$root" -c . | docker_of engine import "${entry[@]}" \
    --change 'ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin' - "$2"
  rm -rf "$root"
}

install_buildkit() { # ROOT
  local from
  from=$CACHE/buildkit/$(newest_built)
  cp "$from/buildkitd" "$from/buildctl" "$1/usr/bin/"
}

install_engine() { # ROOT
  local from=$CACHE/$ENGINE_SUITE/usr name
  install_program "$1" "$CACHE/dial-stdio" buildctl
  for name in sbin/dockerd bin/containerd bin/containerd-shim-runc-v2 bin/docker-init; do
    install_program "$1" "$from/$name" "${name##*/}"
  done
  install -D -m 644 "$RUN/container-engine/daemon.json" "$1/etc/docker/daemon.json"
}

# The container has the machine's network, so the bridge is one of the machine.
write_inner_configuration() {
  cat >"$RUN/container-engine/daemon.json" <<TEXT
{
  "hosts": ["unix:///run/docker.sock"],
  "bridge": "$(cat "$RUN/container-engine/bridge")",
  "iptables": false,
  "ip6tables": false,
  "ip-forward": false,
  "ip-masq": false,
  "userland-proxy": false,
  "features": { "containerd-snapshotter": true }
}
TEXT
}

install_program() { # ROOT PROGRAM NAME
  local file
  cp -L "$2" "$1/usr/bin/$3"
  for file in $(LD_LIBRARY_PATH=$(libraries_of "$CACHE/$ENGINE_SUITE") ldd "$2" 2>/dev/null | grep -o '/[^ ]*'); do
    # What came with the packages goes where the loader looks by itself.
    mkdir -p "$1$(dirname "${file#"$CACHE/$ENGINE_SUITE"}")"
    cp -L "$file" "$1${file#"$CACHE/$ENGINE_SUITE"}"
  done
}

start_container() { # PIECE IMAGE
  local name=${CONTAINERS[$1]} state=/var/lib/docker options=() left=150
  [[ $1 != container ]] || state=/var/lib/buildkit options=(--oci-worker-net host)
  docker_of engine rm -f "$name" || true
  docker_of engine run -d --name "$name" --privileged --network host --cgroupns host \
    --volume "$name:$state" "$2" "${options[@]}"
  until container_answers "$1"; do
    if ((left-- == 0)); then
      docker_of engine logs "$name"
      die "no BuildKit answers in the container"
    fi
    sleep 0.2
  done
}

is_container_up() { [[ $(cat "$RUN/$1/about" 2>/dev/null) == "container $2" ]] && container_answers "$1"; } # PIECE IMAGE

# Peelbox as `buildctl` connects before it reads, and ends without error when there is nothing to read.
container_answers() { # PIECE
  local question=(debug workers)
  [[ $1 == container ]] || question=(dial-stdio)
  docker_of engine exec "${CONTAINERS[$1]}" buildctl "${question[@]}" >/dev/null 2>&1
}

container_down() {
  local piece
  for piece in "${!CONTAINERS[@]}"; do
    [[ ! -d $RUN/$piece ]] || step "removing the container ${CONTAINERS[$piece]}" remove_container "$piece"
  done
}

remove_container() { # PIECE
  local name=${CONTAINERS[$1]}
  docker_of engine rm -fv "$name" || true
  docker_of engine volume rm -f "$name" || true
  [[ ! -L $RUN/engine/docker.sock ]] || remove_images "$1"
  bridge_down "$RUN/$1"
}

remove_images() { # PIECE
  local images
  images=$(docker_of engine image ls -q "${CONTAINERS[$1]}")
  # shellcheck disable=SC2086 # one word per image
  [[ -z $images ]] || docker_of engine rmi -f $images || true
}

container_environment() {
  [[ ! -f $RUN/container/about ]] || print_variable PEELBOX_TESTBED_CONTAINER "docker-container://${CONTAINERS[container]}"
  [[ ! -f $RUN/container-engine/about ]] ||
    print_variable PEELBOX_TESTBED_CONTAINER_ENGINE "docker-container://${CONTAINERS[container-engine]}"
}
