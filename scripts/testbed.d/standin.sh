# shellcheck shell=bash
standin_up() { :; }
standin_environment() { :; }
