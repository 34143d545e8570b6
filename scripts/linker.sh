# shellcheck shell=bash
# The one thing that Rust needs beside itself.

install_linker() {
  has_linker && return
  printf 'installing a C linker (gcc, libc6-dev) ... ' >&2
  local said install=(apt-get install -y --no-install-recommends gcc libc6-dev)
  # The lists may be missing or too old; without need they are not fetched.
  if said=$(export DEBIAN_FRONTEND=noninteractive && { "${install[@]}" || { apt-get update && "${install[@]}"; }; } 2>&1) && has_linker; then
    printf 'done\n' >&2
    return
  fi
  printf 'failed\n%s\nerror: %s\n' "$said" "install a C linker: there is no \`cc\`, or no C library to link with" >&2
  return 1
}

# A compiler may be there without the C library's files.
has_linker() { command -v cc >/dev/null && [[ -e $(cc -print-file-name=crt1.o) ]]; }
