# shellcheck shell=bash
# A container that `docker-container://` reaches: standalone BuildKit with runc, on a root made here.

CONTAINER=peelbox-testbed-buildkitd

container_up() {
  local version
  mkdir -p "$RUN/container"
  [[ -f $RUN/container/about ]] && container_dials && return
  version=$(newest_built)
  if [[ -z $version ]]; then
    buildkit_up latest
    version=$(newest_built)
  fi
  docker_of engine image inspect "$CONTAINER:$version" >/dev/null 2>&1 ||
    step "making an image with BuildKit $version" make_container_image "$version"
  step "starting the container $CONTAINER" start_container "$version"
  echo "container $CONTAINER with BuildKit $version" >"$RUN/container/about"
}

# The root holds the two static programs, runc with its libraries, and certificates.
make_container_image() { # VERSION
  local version=$1 root=$RUN/container/root file
  rm -rf "$root" && mkdir -p "$root"/{usr/bin,etc/ssl/certs,tmp,run,var/lib/buildkit}
  cp "$CACHE/buildkit/$version"/{buildkitd,buildctl} "$root/usr/bin/"
  cp "$(command -v runc)" "$root/usr/bin/runc"
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  for file in $(ldd "$root/usr/bin/runc" | grep -o '/[^ ]*'); do
    mkdir -p "$root$(dirname "$file")" && cp -L "$file" "$root$file"
  done
  chmod 1777 "$root/tmp"
  tar -C "$root" -c . | docker_of engine import --change 'ENTRYPOINT ["buildkitd"]' \
    --change 'ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin' - "$CONTAINER:$version"
  rm -rf "$root"
}

start_container() { # VERSION
  local left=100
  docker_of engine rm -f "$CONTAINER" || true
  docker_of engine run -d --name "$CONTAINER" --privileged --network host \
    --volume "$CONTAINER:/var/lib/buildkit" "$CONTAINER:$1" --oci-worker-net host
  until container_dials; do
    if ((left-- == 0)); then
      docker_of engine logs "$CONTAINER"
      die "no BuildKit answers in the container"
    fi
    sleep 0.2
  done
}

container_dials() { docker_of engine exec "$CONTAINER" buildctl debug workers >/dev/null 2>&1; }

container_down() {
  [[ -d $RUN/container ]] || return 0
  step "removing the container" remove_container
}

remove_container() {
  docker_of engine rm -fv "$CONTAINER" || true
  docker_of engine volume rm -f "$CONTAINER" || true
  [[ ! -L $RUN/engine/docker.sock ]] ||
    docker_of engine image ls -q "$CONTAINER" | xargs -r "$RUN/engine/docker" rmi -f || true
}

container_environment() {
  [[ ! -f $RUN/container/about ]] || print_variable PEELBOX_TESTBED_CONTAINER "docker-container://$CONTAINER"
}
