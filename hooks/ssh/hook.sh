#!/bin/sh
# Authorized keys and logins by key only.
set -eu
# shellcheck source=/dev/null  # given by the runner
. "$VK_LIB"

# Debian's sshd_config includes this folder at its top, and sshd takes the first value it meets.
DROP_IN=/etc/ssh/sshd_config.d/10-ventoy-kit.conf
PASSWORDS=no
[ "$VK_PARAM_ALLOW_PASSWORDS" = false ] || PASSWORDS=yes

entry=$(getent passwd "$VK_PARAM_USER") || vk_fail "there is no user $VK_PARAM_USER"
HOME_FOLDER=$(printf '%s' "$entry" | cut -d: -f6)
KEYS=$HOME_FOLDER/.ssh/authorized_keys

# A key is its type and its base64 text; options in front and the comment behind may differ.
has_key() { [ -f "$KEYS" ] && grep -v '^[[:space:]]*#' "$KEYS" | grep -Fq -e "$(printf '%s' "$1" | cut -d' ' -f1,2)"; }
has_any_key() { [ -f "$KEYS" ] && grep -Eq '^[^#]*(ssh-|ecdsa-|sk-)[a-z0-9@.-]+ [A-Za-z0-9+/]{20,}' "$KEYS"; }
wanted_keys() { [ -z "$VK_PARAM_AUTHORIZED_KEYS" ] || printf '%s\n' "$VK_PARAM_AUTHORIZED_KEYS"; }

# Appends in place: on Proxmox VE root's file is a link into /etc/pve, a file system without rename over a
# link and without modes. A last line without its end gets one first.
add_keys() {
    if [ ! -d "$HOME_FOLDER/.ssh" ]; then
        install -d -m 0700 -o "$VK_PARAM_USER" -g "$(id -g "$VK_PARAM_USER")" "$HOME_FOLDER/.ssh"
        vk_changed "$HOME_FOLDER/.ssh"
    fi
    if [ ! -e "$KEYS" ] && [ ! -L "$KEYS" ]; then
        install -m 0600 -o "$VK_PARAM_USER" -g "$(id -g "$VK_PARAM_USER")" /dev/null "$KEYS"
    fi
    wanted_keys >"$VK_WORK/wanted"
    while IFS= read -r key; do
        if has_key "$key"; then continue; fi
        if [ -s "$KEYS" ] && [ -n "$(tail -c 1 "$KEYS")" ]; then echo >>"$KEYS"; fi
        printf '%s\n' "$key" >>"$KEYS" || vk_fail "$KEYS cannot be written"
        vk_changed "$KEYS"
    done <"$VK_WORK/wanted"
}

# Debian makes /run/sshd with the service; the check needs it too.
sshd_says() { { [ -d /run/sshd ] || mkdir -m 0755 /run/sshd; } && sshd "$@"; }

settings() { # as lines of sshd_config
    printf '%s\n' 'PermitRootLogin prohibit-password' "PasswordAuthentication $PASSWORDS" \
        "KbdInteractiveAuthentication $PASSWORDS"
    # Forwarding stays: Proxmox VE moves guests through it.
    [ "$VK_PARAM_HARDENING" = false ] ||
        printf '%s\n' 'PermitEmptyPasswords no' 'X11Forwarding no' 'MaxAuthTries 4' 'LoginGraceTime 30'
}

drop_in() { echo '# Written by ventoy-kit (hook ssh).' && settings; }

restore() {
    if [ -f "$VK_WORK/before" ]; then cat "$VK_WORK/before" >"$DROP_IN"; else rm -f "$DROP_IN"; fi
}

set_sshd() {
    [ ! -f "$DROP_IN" ] || cp -p "$DROP_IN" "$VK_WORK/before"
    vk_owe reload
    drop_in | vk_put "$DROP_IN" 644
    if ! sshd_says -t; then
        restore
        vk_paid reload
        vk_fail "sshd refuses its configuration; the drop-in was taken back and nothing reloaded"
    fi
}

reload() { # a service that does not run reads its files when it starts
    ! systemctl is-active --quiet ssh.service || systemctl reload ssh.service
}

apply() {
    command -v sshd >/dev/null || vk_fail "openssh-server is not installed"
    add_keys
    if [ "$PASSWORDS" = no ] && ! has_any_key; then
        vk_fail "$VK_PARAM_USER has no key; passwords stay on so that somebody can log in"
    fi
    if [ "$(effective)" != "$(intended)" ] || ! drop_in | cmp -s - "$DROP_IN"; then set_sshd; fi
    vk_owes reload || return 0
    reload || vk_fail "sshd could not be reloaded"
    vk_paid reload
}

# The values in effect; sshd -T says without-password for prohibit-password, and seconds without a unit.
effective() {
    keys=$(settings | cut -d ' ' -f 1 | tr '[:upper:]\n' '[:lower:]|' | sed 's/|$//')
    sshd_says -T | sed 's/without-password/prohibit-password/' | grep -E "^($keys) " | sort
}
intended() { settings | while read -r key value; do printf '%s %s\n' "$(printf '%s' "$key" | tr '[:upper:]' '[:lower:]')" "$value"; done | sort; }

verify() {
    wanted_keys >"$VK_WORK/wanted"
    while IFS= read -r key; do
        has_key "$key" || vk_drift "a key is missing in $KEYS: $(printf '%s' "$key" | cut -c 1-40)..."
    done <"$VK_WORK/wanted"
    sshd_says -t || vk_drift "sshd refuses its configuration"
    [ "$(effective)" = "$(intended)" ] || vk_drift "in effect: $(effective | paste -s -d ';')"
    if vk_owes reload; then vk_drift "sshd was not reloaded"; fi
    vk_verdict
}

case ${1:-} in
apply) apply ;;
verify) verify ;;
*) vk_fail "verbs: apply, verify" ;;
esac
