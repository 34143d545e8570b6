# shellcheck shell=bash
# An OpenSSH server on loopback, with keys and accounts of its own, behind which the BuildKit of `tls.sh` listens.

SSH_SUITE=bookworm # its server is one program, which finds itself wherever it lies
SSH_PACKAGES=(openssh-server libwrap0 libaudit1 libpam0g libsystemd0 libselinux1 libgssapi-krb5-2 libkrb5-3 libk5crypto3
  libkrb5support0 libcom-err2 libkeyutils1 libcap-ng0 libcap2 libssl3 zlib1g libcrypt1 liblzma5 libzstd1 liblz4-1
  libgcrypt20 libgpg-error0 libpcre2-8-0 libnsl2 libtirpc3)

ssh_up() {
  local dir=$RUN/ssh
  mkdir -p "$dir/home" "$dir/bin"
  is_up ssh ssh_answers && return
  stop ssh
  install_missing ssh:openssh-client
  unpack $SSH_SUITE-ssh "${SSH_PACKAGES[@]}"
  choose_port ssh
  write_ssh_files "$dir" "$(port_of ssh)"
  step "starting an OpenSSH server" run_sshd
  echo "OpenSSH server at 127.0.0.1:$(port_of ssh)" >"$dir/about"
}

write_ssh_files() { # FOLDER PORT
  local dir=$1 name
  for name in host user; do
    [[ -f $dir/$name ]] || ssh-keygen -q -t ed25519 -N '' -C "$name of the peelbox test bed" -f "$dir/$name"
  done
  printf '[127.0.0.1]:%s %s\n' "$2" "$(cat "$dir/host.pub")" >"$dir/known_hosts"
  printf '%s\n' "root:x:0:0:root:$dir/home:/bin/sh" 'sshd:x:65533:65533:sshd:/nonexistent:/bin/false' >"$dir/passwd"
  printf '%s\n' 'root:*:19000:0:99999:7:::' 'sshd:*:19000:0:99999:7:::' >"$dir/shadow"
  cat >"$dir/sshd_config" <<TEXT
ListenAddress 127.0.0.1:$2
HostKey $dir/host
PidFile none
AuthorizedKeysFile $dir/user.pub
AuthenticationMethods publickey
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
SetEnv PATH=$RUN/tls/bin:/usr/bin:/bin
TEXT
  cat >"$dir/config" <<TEXT
Host 127.0.0.1
  IdentityFile $dir/user
  IdentitiesOnly yes
  UserKnownHostsFile $dir/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
TEXT
  # The client looks into the user's home, whatever HOME says.
  printf '#!/bin/sh\nexec %q -F %q "$@"\n' "$(command -v ssh)" "$dir/config" >"$dir/bin/ssh"
  chmod +x "$dir/bin/ssh"
}

# The server wants an account of its own and a folder in /run: it gets both where nobody else sees them.
run_sshd() {
  local dir=$RUN/ssh root=$CACHE/$SSH_SUITE-ssh libraries
  libraries=$(libraries_of "$root")
  # shellcheck disable=SC2016 # the inner shell's variables
  spawn ssh unshare --mount sh -ec '
    mount --bind "$1/passwd" /etc/passwd
    mount --bind "$1/shadow" /etc/shadow
    mount -t tmpfs tmpfs /run
    mkdir -m 755 /run/sshd
    LD_LIBRARY_PATH=$3 exec "$2/usr/sbin/sshd" -D -e -f "$1/sshd_config"' sh "$dir" "$root" "$libraries"
  await ssh 20 ssh_answers
}

ssh_answers() { "$RUN/ssh/bin/ssh" -o BatchMode=yes -p "$(port_of ssh)" root@127.0.0.1 buildctl --version; }

ssh_environment() {
  is_running ssh || return 0
  print_variable PEELBOX_TESTBED_SSH "ssh://root@127.0.0.1:$(port_of ssh)$RUN/tls/buildkitd.sock"
  print_variable PEELBOX_TESTBED_SSH_BIN "$RUN/ssh/bin"
}
