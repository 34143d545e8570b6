# shellcheck shell=bash
# Standalone BuildKit behind TLS that demands a client certificate, with certificates made here.

tls_up() {
  local dir=$RUN/tls version
  mkdir -p "$dir"
  is_up tls tls_buildctl debug workers && return
  stop tls
  install_missing openssl:openssl
  [[ -f $dir/certificates/complete ]] || step "making certificates" make_certificates "$dir/certificates"
  version=$(newest_built)
  step "starting BuildKit $version with TLS" run_tls_buildkit "$version"
  echo "BuildKit $version with TLS at 127.0.0.1:$(port_of tls)" >"$dir/about"
}

# The folder itself is what a client gets; `server` and `expired` are for daemons, `other` is of another authority.
make_certificates() { # FOLDER
  local dir=$1
  rm -rf "$dir" && mkdir -p "$dir"/{server,expired,other}
  make_authority "$dir" 'peelbox test bed'
  make_certificate "$dir" "$dir" client 3650 'extendedKeyUsage = clientAuth'
  make_certificate "$dir" "$dir/server" server 3650 'subjectAltName = IP:127.0.0.1, DNS:buildkitd.testbed'
  make_certificate "$dir" "$dir/expired" expired 0 'subjectAltName = IP:127.0.0.1'
  make_authority "$dir/other" 'somebody else'
  make_certificate "$dir/other" "$dir/other" client 3650 'extendedKeyUsage = clientAuth'
  openssl pkey -in "$dir/key.pem" -aes256 -passout pass:word -out "$dir/encrypted-key.pem"
  touch "$dir/complete"
}

new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; } # FILE

make_authority() { # FOLDER NAME
  new_key "$1/ca-key.pem"
  printf '%s\n' '[req]' 'distinguished_name = name' 'x509_extensions = authority' 'prompt = no' \
    '[name]' "CN = $2" '[authority]' 'basicConstraints = critical, CA:TRUE' 'keyUsage = keyCertSign' >"$1/ca.cnf"
  openssl req -x509 -config "$1/ca.cnf" -key "$1/ca-key.pem" -days 3650 -out "$1/ca.pem"
}

make_certificate() { # AUTHORITY'S FOLDER, FOLDER, NAME, DAYS, EXTENSION
  new_key "$2/key.pem"
  openssl req -new -config "$1/ca.cnf" -key "$2/key.pem" -subj "/CN=$3" -out "$2/request.pem"
  openssl x509 -req -in "$2/request.pem" -CA "$1/ca.pem" -CAkey "$1/ca-key.pem" -CAcreateserial \
    -days "$4" -extfile <(echo "$5") -out "$2/cert.pem"
  rm "$2/request.pem"
}

run_tls_buildkit() { # VERSION
  local dir=$RUN/tls
  choose_port tls
  ln -sfn "$CACHE/buildkit/$1" "$dir/bin"
  write_buildkitd_configuration tls
  cat >>"$dir/buildkitd.toml" <<TEXT
[grpc.tls]
  cert = "$dir/certificates/server/cert.pem"
  key = "$dir/certificates/server/key.pem"
  ca = "$dir/certificates/ca.pem"
TEXT
  spawn tls "$dir/bin/buildkitd" --config "$dir/buildkitd.toml"
  await tls 60 tls_buildctl debug workers
}

tls_buildctl() { # ARGUMENT...
  "$RUN/tls/bin/buildctl" --addr "tcp://127.0.0.1:$(port_of tls)" --tlsdir "$RUN/tls/certificates" "$@"
}

tls_environment() {
  is_running tls || return 0
  print_variable PEELBOX_TESTBED_TLS "tcp://127.0.0.1:$(port_of tls)"
  print_variable PEELBOX_TESTBED_TLS_DIR "$RUN/tls/certificates"
}
