# shellcheck shell=bash
# A registry on loopback that wants a login, and a Docker configuration that has it.

registry_up() {
  mkdir -p "$RUN/registry/data"
  is_up registry registry_get && return
  stop registry
  choose_port registry
  write_registry_configuration "$(port_of registry)"
  step "starting the registry" run_registry
  echo "registry at 127.0.0.1:$(port_of registry)" >"$RUN/registry/about"
}

run_registry() {
  spawn registry "$CACHE/$ENGINE_SUITE/usr/bin/docker-registry" serve "$RUN/registry/config.yml"
  await registry 20 registry_get
}

registry_get() { curl -sSf --max-time 5 -u "$(cat "$RUN/registry/login")" "http://127.0.0.1:$(port_of registry)/v2/"; }

write_registry_configuration() { # PORT
  local dir=$RUN/registry salt password umask
  umask=$(umask) && umask 077
  if [[ ! -s $dir/login ]]; then
    password=$(random_letters 24)
    echo "peelbox:$password" >"$dir/login"
    salt=$(random_letters 22)
    # libcrypt knows bcrypt, the only kind of hash the registry takes.
    # shellcheck disable=SC2016 # perl's variables
    perl -e 'print "peelbox:", crypt($ARGV[0], "\$2b\$05\$$ARGV[1]"), "\n"' "$password" "$salt" >"$dir/htpasswd"
    # shellcheck disable=SC2016 # the mark of bcrypt
    grep -qF 'peelbox:$2b$05$' "$dir/htpasswd" || die "this machine's libcrypt does not know bcrypt"
  fi
  cat >"$dir/config.yml" <<TEXT
version: 0.1
log: { level: info, accesslog: { disabled: true } }
storage: { filesystem: { rootdirectory: "$dir/data" }, delete: { enabled: true } }
http: { addr: "127.0.0.1:$1" }
auth: { htpasswd: { realm: peelbox-testbed, path: "$dir/htpasswd" } }
TEXT
  mkdir -p "$dir/docker-config"
  cat >"$dir/docker-config/config.json" <<TEXT
{
  "auths": { "127.0.0.1:$1": { "auth": "$(tr -d '\n' <"$dir/login" | base64 -w 0)" } },
  "cliPluginsExtraDirs": ["$CACHE/$ENGINE_SUITE/usr/libexec/docker/cli-plugins"]
}
TEXT
  umask "$umask"
}

random_letters() { head -c 512 /dev/urandom | base64 -w 0 | tr -dc 'A-Za-z0-9' | cut -c "1-$1"; }

registry_environment() {
  print_variable DOCKER_CONFIG "$RUN/registry/docker-config"
  print_variable PEELBOX_TESTBED_REGISTRY "127.0.0.1:$(port_of registry)"
  print_variable PEELBOX_TESTBED_REGISTRY_PROGRAM "$CACHE/$ENGINE_SUITE/usr/bin/docker-registry"
}
