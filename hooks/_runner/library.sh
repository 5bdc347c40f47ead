# Helpers for hooks, installed as a file that a hook reads with: . "$VK_LIB"
# shellcheck shell=sh
#
# A hook talks to the runner through its exit code and through lines in the file $VK_RESULT:
#   changed TEXT   something was changed; several are allowed
#   skipped TEXT   there is nothing to do on this machine; exit 0 after it
#   failed TEXT    why the hook failed or what differs; exit 1 after it

vk_line() { printf '%s %s\n' "$1" "$(printf '%s' "$2" | tr '\n\r\t' '   ')" >>"$VK_RESULT"; }

# vk_changed TEXT: tell that something was changed.
vk_changed() {
    vk_line changed "$1"
    printf 'changed: %s\n' "$1"
}

# vk_skip TEXT: this machine needs nothing of this hook; ends the hook.
vk_skip() {
    vk_line skipped "$1"
    exit 0
}

# vk_fail TEXT: ends the hook as failed.
vk_fail() {
    vk_line failed "$1"
    printf 'failed: %s\n' "$1" >&2
    exit 1
}

# vk_drift TEXT: verify found a difference; the hook goes on looking and ends with vk_verdict.
vk_drift() {
    vk_line failed "$1"
    printf 'differs: %s\n' "$1" >&2
    VK_DRIFTED=yes
}
vk_verdict() { [ "${VK_DRIFTED:-no}" = no ] || exit 1; }

# vk_place NEW FILE MODE: put the finished file NEW in the place of FILE, if content or mode differ.
# A symbolic link stays a link; what it points at is replaced. The rename is atomic.
vk_place() {
    vk_real=$(readlink -f -- "$2") || vk_fail "$2: a folder on the way is missing"
    if [ -f "$vk_real" ] && cmp -s -- "$1" "$vk_real" && [ "$(stat -c %a -- "$vk_real")" = "$(printf '%o' "0$3")" ]; then
        rm -f -- "$1"
        return 0
    fi
    { chmod -- "$3" "$1" && mv -f -- "$1" "$vk_real"; } || vk_fail "$2 cannot be written"
    vk_changed "$2"
}

# vk_new FILE: sets vk_temp, the name of a temporary file in FILE's folder. A name with a leading dot is
# ignored by everything that reads "*.conf" or "*.sources" folders.
vk_new() {
    vk_real=$(readlink -f -- "$1") || vk_fail "$1: a folder on the way is missing"
    vk_temp=$(dirname -- "$vk_real")/.$(basename -- "$vk_real").vk-new
}

# vk_put FILE MODE: make FILE hold exactly what comes on standard input (a here-document or printf).
vk_put() {
    mkdir -p -- "$(dirname -- "$1")" || vk_fail "the folder of $1 cannot be made"
    vk_new "$1"
    cat >"$vk_temp" || {
        rm -f -- "$vk_temp"
        vk_fail "$1 cannot be written"
    }
    vk_place "$vk_temp" "$1" "$2"
}

# vk_edit FILE COMMAND...: replace FILE's content by the output of COMMAND, which reads the old content
# on standard input. When COMMAND fails FILE stays as it is. Mode and owner are kept.
vk_edit() {
    vk_target=$1
    shift
    vk_new "$vk_target"
    { cp -p -- "$vk_real" "$vk_temp" && "$@" <"$vk_real" >"$vk_temp"; } || {
        rm -f -- "$vk_temp"
        vk_fail "$vk_target cannot be edited"
    }
    vk_place "$vk_temp" "$vk_target" "$(stat -c %a -- "$vk_real")"
}

# Work that a change makes necessary (a reload, a refresh) is owed from before the change until it
# succeeded, so that an attempt which broke off in between is completed by the next one.
vk_owe() { : >"$VK_STATE/owed-$1" || vk_fail "$VK_STATE cannot be written"; }
vk_owes() { [ -e "$VK_STATE/owed-$1" ]; }
vk_paid() { rm -f -- "$VK_STATE/owed-$1"; }
