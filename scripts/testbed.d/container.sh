# shellcheck shell=bash
container_down() { :; }
container_environment() { :; }
