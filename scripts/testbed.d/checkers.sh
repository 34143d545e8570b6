# shellcheck shell=bash
# Checkers: programs of others that judge what peelbox writes.

SPDX_TOOLS=0.8.5
SKOPEO_SUITE=bookworm # old enough that its libraries run on every machine that the Engine runs on
SKOPEO_PACKAGES=(skopeo libgpgme11 libassuan0 libgpg-error0 libdevmapper1.02.1 libselinux1 libudev1 libpcre2-8-0)

checkers_up() {
  local venv=$CACHE/spdx-tools-$SPDX_TOOLS
  mkdir -p "$RUN/checkers"
  unpack $SKOPEO_SUITE-skopeo "${SKOPEO_PACKAGES[@]}"
  write_skopeo_wrapper "$CACHE/$SKOPEO_SUITE-skopeo"
  if [[ ! -e $venv/complete ]]; then
    have_python_with venv
    step "installing spdx-tools $SPDX_TOOLS" install_spdx_tools "$venv"
  fi
  echo "skopeo, spdx-tools $SPDX_TOOLS" >"$RUN/checkers/about"
}

install_spdx_tools() { # FOLDER
  rm -rf "$1"
  python3 -m venv "$1"
  retry "$1/bin/pip" install --quiet "spdx-tools==$SPDX_TOOLS"
  touch "$1/complete"
}

write_skopeo_wrapper() { # FOLDER
  cat >"$RUN/checkers/skopeo" <<TEXT
#!/bin/sh
LD_LIBRARY_PATH="$(libraries_of "$1")" exec "$1/usr/bin/skopeo" "\$@"
TEXT
  chmod +x "$RUN/checkers/skopeo"
  "$RUN/checkers/skopeo" --version >/dev/null || die "skopeo of Debian $SKOPEO_SUITE does not run on this machine"
}

checkers_environment() {
  [[ -f $RUN/checkers/about ]] || return 0
  print_variable PEELBOX_TESTBED_SKOPEO "$RUN/checkers/skopeo"
  print_variable PEELBOX_TESTBED_SPDX_TOOLS "$CACHE/spdx-tools-$SPDX_TOOLS/bin/pyspdxtools"
}
