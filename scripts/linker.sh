# shellcheck shell=bash
# The one thing that Rust needs beside itself.

install_linker() {
  command -v cc >/dev/null && return
  printf 'installing a C linker (gcc, libc6-dev)\n' >&2
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends gcc libc6-dev >/dev/null
}
