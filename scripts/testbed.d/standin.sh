# shellcheck shell=bash
# Wolfi: the real one where it can be reached, else the stand-in, a test double with Wolfi's names.

WOLFI=https://packages.wolfi.dev/os
BASE_IMAGE=cgr.dev/chainguard/wolfi-base:latest

standin_up() { # small|full
  local dir=$RUN/standin set=$1
  mkdir -p "$dir"
  if [[ ! -e $dir/set && -z ${PEELBOX_TESTBED_STANDIN-} ]] && wolfi_is_reachable; then
    echo "the real Wolfi" >"$dir/about"
  elif has_standin; then
    # What is up in full stays so.
    [[ ! -s $dir/set || $(cat "$dir/set") == small ]] || set=full
    make_standin "$set"
  else
    say "no Wolfi: this checkout has no stand-in"
    return
  fi
  base_up engine
  [[ -e $dir/base.pushed ]] || step "pushing the base image to the registry" push_base
}

wolfi_is_reachable() { curl -sfI -o /dev/null --max-time 10 "$WOLFI/x86_64/APKINDEX.tar.gz"; }

has_standin() { [[ -e $REPOSITORY/examples/standin.rs ]] || grep -qs '^name = "standin"' "$REPOSITORY/Cargo.toml"; }

make_standin() { # SET
  local dir=$RUN/standin set=$1 out=$CACHE/standin-$1
  have_python_with pip
  install_missing openssl:openssl
  step "building the maker of the Wolfi stand-in" build_standin
  step "making the Wolfi stand-in ($set set; a test double)" "$CACHE/standin" make --set "$set" --out "$out"
  # Serves the set as it is now: one made anew may have other packages.
  [[ $(cat "$dir/set" 2>/dev/null) == "$set" ]] && is_up standin standin_get && return
  stop standin
  choose_port standin
  rm -f "$dir"/base.*
  echo "$set" >"$dir/set"
  step "serving the Wolfi stand-in" serve_standin "$out"
  echo "Wolfi stand-in (test double, $set set) at 127.0.0.1:$(port_of standin)" >"$dir/about"
}

build_standin() {
  local built program
  built=$(cargo build --quiet --manifest-path "$REPOSITORY/Cargo.toml" --example standin --message-format json)
  program=$(grep -o '"executable":"[^"]*/standin"' <<<"$built" | cut -d'"' -f4)
  cmp -s "$program" "$CACHE/standin" || { rm -f "$CACHE/standin" && cp "$program" "$CACHE/standin"; }
}

serve_standin() { # FOLDER
  spawn standin "$CACHE/standin" serve --dir "$1/repo" --port "$(port_of standin)" --log "$RUN/standin/access.log"
  await standin 20 standin_get
}

standin_get() { curl -sfI --max-time 5 "http://127.0.0.1:$(port_of standin)/x86_64/APKINDEX.tar.gz"; }

base_up() { # PIECE
  local dir=$RUN/standin archive
  [[ -f $dir/about ]] || return 0
  archive=$CACHE/standin-$(cat "$dir/set" 2>/dev/null)/wolfi-base.tar
  [[ -e $dir/base.$1 && ! $archive -nt $dir/base.$1 ]] && docker_of "$1" image inspect "$BASE_IMAGE" >/dev/null 2>&1 && return
  if [[ -s $dir/set ]]; then
    step "loading the base image into $1" docker_of "$1" load --input "$archive"
  else
    step "pulling the base image into $1" docker_of "$1" pull "$BASE_IMAGE"
  fi
  [[ $1 != engine ]] || rm -f "$dir/base.pushed"
  touch "$dir/base.$1"
}

push_base() {
  local name
  name=127.0.0.1:$(port_of registry)/${BASE_IMAGE#*/}
  docker_of engine tag "$BASE_IMAGE" "$name"
  docker_of engine push "$name"
  docker_of engine rmi "$name"
  touch "$RUN/standin/base.pushed"
}

# Nothing under a real name stays behind in an Engine that is not the test bed's.
standin_down() {
  if [[ -e $RUN/standin/base.engine && -L $RUN/engine/docker.sock ]]; then
    step "removing the stand-in's base image" docker_of engine rmi "$BASE_IMAGE" || true
  fi
}

standin_environment() {
  local dir=$RUN/standin
  [[ -e $dir/base.pushed ]] || return 0
  print_variable PEELBOX_TESTBED_BASE_IMAGE_REGISTRY "127.0.0.1:$(port_of registry)/${BASE_IMAGE#*/}"
  [[ -s $dir/set ]] || return 0
  print_variable PEELBOX_APK_REPOSITORY "http://127.0.0.1:$(port_of standin)"
  print_variable PEELBOX_APK_KEY "$CACHE/standin-$(cat "$dir/set")/keys/standin.rsa.pub"
  print_variable PEELBOX_TESTBED_ACCESS_LOG "$dir/access.log"
  # What peelbox remembers of one stand-in says nothing of the next.
  local index
  index=$(sha256sum "$CACHE/standin-$(cat "$dir/set")/repo/x86_64/APKINDEX.tar.gz")
  print_variable PEELBOX_CACHE_DIR "$CACHE/peelbox-${index:0:12}"
}
