# shellcheck shell=bash
# Packages: a few prerequisites installed, everything else unpacked from newer Debian suites.

# Command and the package that has it.
PREREQUISITES=(runc:runc iptables:iptables ip:iproute2 curl:curl flock:util-linux perl:perl-base
  ssh-add:openssh-client)

install_prerequisites() {
  install_missing "${PREREQUISITES[@]}"
  [[ -s /etc/ssl/certs/ca-certificates.crt ]] || step "installing ca-certificates" install_packages ca-certificates
}

install_missing() { # COMMAND:PACKAGE...
  local entry missing=()
  for entry; do
    command -v "${entry%%:*}" >/dev/null || missing+=("${entry##*:}")
  done
  [[ ${#missing[@]} == 0 ]] || step "installing ${missing[*]}" install_packages "${missing[@]}"
}

# A Python without pip or venv may be there, and need not be the distribution's.
have_python_with() { # pip|venv
  has_python_with "$1" && return
  step "installing python3-$1" install_packages "python3-$1"
  has_python_with "$1" || die "\`$(command -v python3)\` has no $1"
}

has_python_with() { # pip|venv
  case $1 in
    pip) python3 -m pip --version ;;
    venv) python3 -c 'import ensurepip, venv' ;;
  esac >/dev/null 2>&1
}

install_packages() {
  local install=(apt-get install -y --no-install-recommends "$@")
  DEBIAN_FRONTEND=noninteractive "${install[@]}" && return
  retry apt-get update
  DEBIAN_FRONTEND=noninteractive "${install[@]}"
}

# The archive that apt is configured with for the machine's own release.
debian_archive() {
  local codename sites
  codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
  # shellcheck disable=SC2016 # apt's own placeholders
  sites=$(apt-get indextargets --format '$(SITE) $(RELEASE)')
  awk -v release="$codename" '$2 == release { print $1; found = 1; exit } END { exit !found }' <<<"$sites" ||
    die "apt names no archive of \`$codename\`"
}

# apt-get with lists, cache and package state of its own, but the machine's proxies and logins. A mirror that
# lags behind serves: what it has is signed all the same, and only has to be the Engine that tests need.
private_apt() { # SUITE ARGUMENT...
  local home=$CACHE/apt/$1
  shift
  apt-get -o Dir::State="$home" -o Dir::State::lists="$home/lists" -o Dir::State::status="$home/status" \
    -o Dir::Cache="$home/cache" -o Dir::Etc::sourcelist="$home/sources.list" -o Dir::Etc::sourceparts=- \
    -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false -o Acquire::Languages=none \
    -o Acquire::Retries=3 -o Acquire::Check-Valid-Until=false -o APT::Sandbox::User=root "$@"
}

# Leaves the packages unpacked in $CACHE/ROOT, named after its suite; nothing is done where that is complete.
unpack() { # SUITE[-NAME] PACKAGE...
  local root=$CACHE/$1
  shift
  [[ -f $root/complete ]] && grep -qxF "$*" "$root/complete" && return
  step "fetching $* of Debian $(suite_of "$root")" fetch_packages "$root" "$@"
  step "unpacking them" unpack_packages "$root" "$@"
}

suite_of() {
  local name=${1##*/}
  echo "${name%%-*}"
}

fetch_packages() {
  local root=$1 suite home archive
  shift
  suite=$(suite_of "$root")
  home=$CACHE/apt/$suite
  mkdir -p "$home/lists/partial" "$home/cache/archives/partial" "$root.debs"
  : >"$home/status"
  archive=$(debian_archive)
  printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' \
    "$archive" "$suite" >"$home/sources.list"
  retry private_apt "$suite" -o APT::Update::Error-Mode=any update
  (cd "$root.debs" && retry private_apt "$suite" download "$@")
}

# The folders of the libraries that came with the packages, for LD_LIBRARY_PATH.
libraries_of() { # ROOT
  local IFS=: folders=("$1"/{,usr/}lib/*-linux-gnu)
  echo "${folders[*]}"
}

unpack_packages() {
  local root=$1 deb program
  shift
  rm -rf "$root" && mkdir -p "$root"
  for deb in "$root".debs/*.deb; do dpkg-deb -x "$deb" "$root"; done
  # Debian's Go programs ask for little of libc, so those of a newer suite run on the machine's.
  for program in "$root"/usr/sbin/dockerd "$root"/usr/bin/{containerd,docker,docker-registry}; do
    [[ -x $program ]] || continue
    ! LD_LIBRARY_PATH=$(libraries_of "$root") ldd "$program" 2>&1 | grep 'not found' ||
      die "\`$program\` does not run with the libraries of this machine"
  done
  rm -rf "$root.debs" "$CACHE/apt"
  echo "$*" >"$root/complete"
}
