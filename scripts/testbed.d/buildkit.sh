# shellcheck shell=bash
buildkit_environment() { :; }
