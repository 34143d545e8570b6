# shellcheck shell=bash
# Object stores that caches of build steps are written to: others' emulators of S3 and of Azure's blob storage.

GOFAKES3=github.com/johannesboyne/gofakes3/cmd/gofakes3@v1.2.0
AZURITE=3.35.0

stores_up() {
  mkdir -p "$RUN/stores-s3" "$RUN/stores-azblob"
  if ! is_up stores-s3 store_answers stores-s3; then
    stop stores-s3
    [[ -x $CACHE/gofakes3/gofakes3 ]] || { have_go && step "building gofakes3" build_gofakes3; }
    choose_port stores-s3
    step "starting an S3 store" run_store stores-s3 "$CACHE/gofakes3/gofakes3" -backend memory \
      -host "127.0.0.1:$(port_of stores-s3)" -initialbucket cache
    echo "gofakes3 at 127.0.0.1:$(port_of stores-s3)" >"$RUN/stores-s3/about"
  fi
  is_up stores-azblob store_answers stores-azblob && return
  stop stores-azblob
  install_missing npm:npm
  [[ -e $CACHE/azurite-$AZURITE/complete ]] || step "installing Azurite $AZURITE" install_azurite
  choose_port stores-azblob
  step "starting an Azure blob store" run_store stores-azblob "$CACHE/azurite-$AZURITE/node_modules/.bin/azurite-blob" \
    --inMemoryPersistence --skipApiVersionCheck --disableTelemetry --silent \
    --blobHost 127.0.0.1 --blobPort "$(port_of stores-azblob)"
  echo "Azurite $AZURITE at 127.0.0.1:$(port_of stores-azblob)" >"$RUN/stores-azblob/about"
}

build_gofakes3() {
  mkdir -p "$CACHE/gofakes3"
  (cd / && GOBIN=$CACHE/gofakes3 retry go_run install "$GOFAKES3")
}

install_azurite() {
  local folder=$CACHE/azurite-$AZURITE
  rm -rf "$folder" && mkdir -p "$folder"
  (cd "$folder" && retry npm install --silent --no-audit --no-fund "azurite@$AZURITE")
  touch "$folder/complete"
}

run_store() { # PIECE COMMAND...
  spawn "$@"
  await "$1" 30 store_answers "$1"
}

# Any answer will do: without a login it is a refusal.
store_answers() { curl -s -o /dev/null --max-time 5 "http://127.0.0.1:$(port_of "$1")/"; } # PIECE

stores_down() {
  local piece
  for piece in stores-s3 stores-azblob; do
    [[ ! -f $RUN/$piece/process ]] || step "stopping $piece" stop "$piece"
  done
}

stores_environment() {
  ! is_running stores-s3 || print_variable PEELBOX_TESTBED_S3 "http://127.0.0.1:$(port_of stores-s3)"
  # The one account that every Azurite has.
  ! is_running stores-azblob ||
    print_variable PEELBOX_TESTBED_AZBLOB "http://127.0.0.1:$(port_of stores-azblob)/devstoreaccount1"
}
