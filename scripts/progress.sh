# shellcheck shell=sh
# To be sourced. On a terminal, says which step begins: progress INDEX TOTAL NAME, "3 of 12, 0:45  lint-c". The time
# counts from when this file was read. Where standard error is no terminal, nothing is written. tools/progress.lua is
# the same for Lua.
progress_start=$(date +%s)

progress() { # index total name
  [ -t 2 ] || return 0
  set -- "$1" "$2" "$(($(date +%s) - progress_start))" "$3"
  printf '%d of %d, %d:%02d  %s\n' "$1" "$2" "$(($3 / 60))" "$(($3 % 60))" "$4" >&2
}
