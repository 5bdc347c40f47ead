#!/bin/sh
# Time servers and the program that asks them.
set -eu
# shellcheck source=/dev/null  # given by the runner
. "$VK_LIB"

CHRONY=/etc/chrony/chrony.conf
SOURCES=/etc/chrony/sources.d/ventoy-kit.sources # read by Debian's chrony.conf, line "sourcedir"
TIMESYNCD=/etc/systemd/timesyncd.conf.d/50-ventoy-kit.conf

servers() { [ -z "$VK_PARAM_SERVERS" ] || printf '%s\n' "$VK_PARAM_SERVERS"; }
# The distribution's servers in the main file become comments that can be told from others, and real lines again.
mute() { sed -E 's/^[[:space:]]*((pool|server|peer)[[:space:]])/#ventoy-kit# \1/'; }
unmute() { sed 's/^#ventoy-kit# //'; }

restart() { # SERVICE
    vk_owes restart || return 0
    if vk_booted; then systemctl restart "$1" || vk_fail "$1 could not be restarted"; fi
    vk_paid restart
}

# put_if_other FILE: standard input becomes FILE, and then a restart is owed.
put_if_other() {
    cat >"$VK_WORK/new"
    if cmp -s "$VK_WORK/new" "$1"; then return 0; fi
    vk_owe restart
    vk_put "$1" 644 <"$VK_WORK/new"
}

apply_chrony() {
    vk_install --no-install-recommends chrony # conflicts with systemd-timesyncd's package, which goes
    [ -f "$CHRONY" ] || vk_fail "$CHRONY is missing; purge and install chrony"
    grep -q '^sourcedir /etc/chrony/sources.d' "$CHRONY" || vk_fail "$CHRONY does not read /etc/chrony/sources.d"
    how=mute
    [ -n "$VK_PARAM_SERVERS" ] || how=unmute
    if [ "$($how <"$CHRONY")" != "$(cat "$CHRONY")" ]; then
        vk_owe restart
        vk_edit "$CHRONY" "$how"
    fi
    if [ -n "$VK_PARAM_SERVERS" ]; then
        servers | sed 's/.*/server & iburst/' | put_if_other "$SOURCES"
    elif [ -e "$SOURCES" ]; then
        vk_owe restart
        rm -f "$SOURCES"
        vk_changed "$SOURCES removed"
    fi
    restart chrony.service
}

apply_timesyncd() {
    vk_install --no-install-recommends systemd-timesyncd # conflicts with chrony's package, which goes
    if [ -n "$VK_PARAM_SERVERS" ]; then
        printf '[Time]\nNTP=\nNTP=%s\nFallbackNTP=\n' "$(servers | paste -s -d ' ')" | put_if_other "$TIMESYNCD"
    elif [ -e "$TIMESYNCD" ]; then
        vk_owe restart
        rm -f "$TIMESYNCD"
        vk_changed "$TIMESYNCD removed"
    fi
    restart systemd-timesyncd.service
}

in_step() {
    if [ "$VK_PARAM_SERVICE" = chrony ]; then
        chronyc -n tracking 2>/dev/null | grep -q '^Leap status *: Normal'
    else
        [ "$(timedatectl show -p NTPSynchronized --value)" = yes ]
    fi
}

verify_live() { # SERVICE
    systemctl is-active --quiet "$1" || vk_drift "$1 does not run"
    [ "$VK_PARAM_WAIT" -gt 0 ] || return 0
    left=$VK_PARAM_WAIT
    until in_step; do
        if [ "$left" -le 0 ]; then
            vk_drift "the clock is not in step after $VK_PARAM_WAIT s; can the servers be reached?"
            return 0
        fi
        left=$((left - 2))
        sleep 2
    done
}

verify() {
    if [ "$VK_PARAM_SERVICE" = chrony ]; then
        vk_is_installed chrony || vk_drift "chrony is not installed"
        # Every file that chronyd reads servers from.
        asked=$(cat "$CHRONY" /etc/chrony/conf.d/*.conf /etc/chrony/sources.d/*.sources 2>/dev/null |
            awk '$1 == "server" || $1 == "pool" || $1 == "peer" { print $2 }' | sort)
        service=chrony.service
    else
        vk_is_installed systemd-timesyncd || vk_drift "systemd-timesyncd is not installed"
        # An empty value clears what came before it, as in systemd.
        asked=$(systemd-analyze cat-config systemd/timesyncd.conf | awk -F = '
            $1 == "NTP" || $1 == "FallbackNTP" { if ($2 == "") list[$1] = ""; else list[$1] = list[$1] " " $2 }
            END { print list["NTP"], list["FallbackNTP"] }' | tr -s ' ' '\n' | sed '/^$/d' | sort)
        service=systemd-timesyncd.service
    fi
    [ -z "$VK_PARAM_SERVERS" ] || [ "$asked" = "$(servers | sort)" ] ||
        vk_drift "servers in the configuration: $(printf '%s' "$asked" | paste -s -d ' ')"
    if vk_owes restart; then vk_drift "$service was not restarted"; fi
    if vk_booted; then verify_live "$service"; fi
    vk_verdict
}

case ${1:-} in
apply) if [ "$VK_PARAM_SERVICE" = chrony ]; then apply_chrony; else apply_timesyncd; fi ;;
verify) verify ;;
*) vk_fail "verbs: apply, verify" ;;
esac
