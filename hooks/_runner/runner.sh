#!/bin/sh
# The first-boot runner: runs this node's hooks in order, proves and records each, reports, disables itself.
#
# The kit puts data (VK_* variables, hook_facts, unit_text, put_files) before this text; nothing happens
# before the last line, so a truncated file does nothing. It needs what every Debian has: dash, coreutils,
# util-linux (flock), awk, sed, diffutils (cmp), dpkg-query, iconv, systemctl.
#
# Verbs: install | fully-up | run [HOOK...] | status | verify [HOOK...] | probe
set -eu
umask 077
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL

CODE=/usr/local/lib/ventoy-kit
STATE=/var/lib/ventoy-kit
LOGS=/var/log/ventoy-kit
UNIT=ventoy-kit-first-boot.service
UNIT_FILE=/etc/systemd/system/$UNIT
MOTD=/etc/motd.d/ventoy-kit
BROKEN=/run/motd.d/ventoy-kit-stopped   # shown at login too; a full disk does not hinder it
LOCK=/run/ventoy-kit.lock
ATTEMPTS=3     # boots on which a hook is tried; a destructive one is tried once
REBOOTS=3      # reboots that the runner may ask for, per generation
NETWORK_WAIT=${VK_NETWORK_WAIT:-120}   # seconds in all that one run waits for a default route
RETRIES=3      # more tries in one boot of what may succeed in a minute
RETRY_PAUSE=${VK_RETRY_PAUSE:-60}      # seconds before each
RETRYING=no

say() { printf '%s\n' "$*"; }
die() {
    printf 'ventoy-kit: %s\n' "$*" >&2
    exit 1
}
# Text of any origin as one harmless line for a terminal.
plain() { tr '\000-\037\177' ' ' | sed 's/ *$//'; }

# --- records: one folder of small files per hook, each replaced by rename ------------------------------

record() { # HOOK KEY -> value, or nothing
    [ ! -f "$STATE/hooks/$1/$2" ] || cat "$STATE/hooks/$1/$2"
}
set_record() { # HOOK KEY VALUE
    printf '%s\n' "$3" >"$STATE/hooks/$1/.new"
    mv -f "$STATE/hooks/$1/.new" "$STATE/hooks/$1/$2"
}
stamp_of() { printf '%s' "$STATE/done/$1@$HOOK_DIGEST"; }
conclude() { # HOOK STATUS REASON
    set_record "$1" reason "$(printf '%s' "$3" | head -c 2000)"
    set_record "$1" status "$2"
    say "$1: $2${3:+ - $3}"
}
attempts_of() {
    tries=$(record "$1" attempts)
    printf '%s' "${tries:-0}"
}
# A destructive hook has one attempt from the moment it was really started.
limit_now() { [ "$HOOK_DESTRUCTIVE" = yes ] && [ -n "$(record "$1" started)" ] && printf 1 || printf '%s' "$ATTEMPTS"; }
# A record belongs to one digest: another script or other parameters start anew.
open_record() {
    if [ "$(record "$1" digest)" != "$HOOK_DIGEST" ]; then
        rm -rf "${STATE:?}/hooks/$1"
        mkdir -p "$STATE/hooks/$1/private"
        set_record "$1" digest "$HOOK_DIGEST"
        set_record "$1" status pending
    fi
}
has_stamp() (
    hook_facts "$1"
    [ -e "$(stamp_of "$1")" ]
)
is_known() {
    for known in $VK_HOOKS; do [ "$known" != "$1" ] || return 0; done
    return 1
}
# Whether the runner is through with a hook: proven, not for this machine, or given up.
is_settled() {
    hook_facts "$1"
    [ ! -e "$(stamp_of "$1")" ] || return 0
    [ "$(record "$1" digest)" = "$HOOK_DIGEST" ] || return 1
    case $(record "$1" status) in
    skipped) return 0 ;;
    failed) [ "$(attempts_of "$1")" -ge "$(limit_now "$1")" ] ;;
    blocked) ! has_stamp "$(record "$1" blocker)" && is_settled "$(record "$1" blocker)" ;;
    *) return 1 ;;
    esac
}

# --- the machine -----------------------------------------------------------------------------------------

system_of() { # sets FAMILY and RELEASE (the major number)
    pve=$(dpkg-query -W -f '${Version}' pve-manager 2>/dev/null) || pve=
    if [ -n "$pve" ]; then
        FAMILY=proxmox-ve RELEASE=${pve%%.*}
    else
        # shellcheck disable=SC1091  # a file of the machine
        FAMILY=$(. /etc/os-release && printf '%s' "${ID:-unknown}") || FAMILY=unknown
        # shellcheck disable=SC1091  # a file of the machine
        RELEASE=$(. /etc/os-release && printf '%s' "${VERSION_ID:-unknown}") || RELEASE=unknown
        RELEASE=${RELEASE%%.*}
    fi
}
is_supported() {
    for system in $HOOK_SYSTEMS; do [ "$system" != "$FAMILY:$RELEASE" ] || return 0; done
    return 1
}
boot_id() { cat /proc/sys/kernel/random/boot_id; }
# Seconds since the machine started: the wall clock may jump on a first boot.
uptime_now() {
    read -r up _ </proc/uptime
    printf '%s' "${up%%.*}"
}
has_route() {
    awk '$2 == "00000000" && $8 == "00000000" { found = 1 } END { exit !found }' /proc/net/route 2>/dev/null ||
        awk '$2 == "00" && $1 ~ /^0+$/ && $10 != "lo" { found = 1 } END { exit !found }' /proc/net/ipv6_route 2>/dev/null
}
await_network() {
    until has_route; do
        [ "$NETWORK_WAIT" -gt 0 ] || return 1
        NETWORK_WAIT=$((NETWORK_WAIT - 1))
        sleep 1
    done
}
settle_disk() { sync -f "$STATE"; }
lock() {
    exec 9>>"$LOCK"
    flock -n 9 || die "another run is under way; wait for it: journalctl -f -u $UNIT"
}

# --- one hook --------------------------------------------------------------------------------------------

# Runs HOOK VERB, output to the file LOG, result lines to $WORK/result; returns the exit code.
# Output goes to a file, not through a pipe: a process that the hook leaves behind would hold a pipe open
# beyond the time limit. Parameters come from a file of quoted assignments into an otherwise fixed environment.
call() {
    rm -rf "$WORK/hook"
    { mkdir "$WORK/hook" && : >"$WORK/result"; } || return 125
    code=0
    (
        umask 022
        cd /
        # shellcheck disable=SC2016  # expanded by the inner shell
        exec timeout --kill-after=30 "$HOOK_TIMEOUT" env -i \
            PATH="$PATH" HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
            VK_NODE="$VK_NODE" VK_FLEET="$VK_FLEET" VK_FAMILY="$FAMILY" VK_RELEASE="$RELEASE" \
            VK_LIB="$CODE/library.sh" VK_RESULT="$WORK/result" VK_STATE="$STATE/hooks/$1/private" \
            VK_WORK="$WORK/hook" VK_GRANTS="$STATE/grants" \
            /bin/sh -c '. "$1"; shift; exec "$@"' sh "$CODE/hooks/$1/parameters" "$CODE/hooks/$1/hook.sh" "$2"
    ) </dev/null >>"$3" 2>&1 9>&- || code=$?
    # A hook that says it failed has failed, though it may have forgotten to end so.
    if [ "$code" -eq 0 ] && [ -n "$(result_lines failed)$(result_lines later)" ]; then code=1; fi
    return "$code"
}
result_lines() { sed -n "s/^$1 //p" "$WORK/result"; }
why() { # VERB CODE -> the hook's own reason, else what the code means
    reasons=$({ result_lines failed && result_lines later; } | paste -s -d ';' | sed 's/;/; /g')
    case $2 in
    125) say "$1 could not be started or recorded; is the disk full?" ;;
    124 | 137) say "$1 took longer than $HOOK_TIMEOUT s" ;;
    126 | 127) say "$1 could not be started or lacks a program (code $2)" ;;
    *) say "${reasons:-$1 ended with code $2}" ;;
    esac
}
logged() { # HOOK VERB: run it with its output in the log file, then in the journal too
    log=$LOGS/$1.log
    before=$(wc -l 2>/dev/null <"$log") || before=0
    printf '== %s %s, attempt %s, %s\n' "$1" "$2" "$(attempts_of "$1")" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" >>"$log"
    outcome=0
    call "$1" "$2" "$log" || outcome=$?
    tail -n "+$((before + 2))" "$log" | tail -n 200 | sed "s/^/$1| /"
    { result_lines changed >>"$STATE/hooks/$1/changes" && result_lines noted >>"$STATE/hooks/$1/notes"; } || outcome=125
    return "$outcome"
}
prove() { # HOOK: verify it and stamp it
    code=0
    logged "$1" verify || code=$?
    if [ "$code" -ne 0 ]; then
        conclude "$1" failed "$(why verify "$code")"
    else
        [ -s "$STATE/hooks/$1/changes" ] && proven=changed || proven=unchanged
        conclude "$1" "$proven" ""
        : >"$(stamp_of "$1")"
    fi
}
blocker_of() { # a hook of this node that must come first and has neither succeeded nor been skipped
    for first in $HOOK_AFTER; do
        if is_known "$first" && ! has_stamp "$first" && [ "$(record "$first" status)" != skipped ]; then
            say "$first"
            return 0
        fi
    done
}
# Whether this is another try in the same boot of a hook that failed for a reason that may pass.
is_retry() { [ "$RETRYING" = yes ] && [ "$(record "$1" status)" = failed ] && [ -n "$(record "$1" later)" ]; }
# Attempts are counted on disk before anything runs: a hook that takes the machine down is counted too.
attempt() {
    is_retry "$1" || set_record "$1" attempts $(($(attempts_of "$1") + 1))
    set_record "$1" status running
    rm -f "$STATE/hooks/$1/later" "$STATE/hooks/$1/notes"
    settle_disk
    if [ "$HOOK_NETWORK" = yes ] && ! await_network; then
        set_record "$1" later yes
        conclude "$1" failed "no default route; the hook needs the network"
        return 0
    fi
    if [ "$HOOK_DESTRUCTIVE" = yes ]; then
        set_record "$1" started yes
        settle_disk
    fi
    code=0
    logged "$1" apply || code=$?
    skip=$(result_lines skipped | head -n 1)
    if [ "$code" -ne 0 ]; then
        if [ "$HOOK_DESTRUCTIVE" = no ] && [ -n "$(result_lines later)" ]; then set_record "$1" later yes; fi
        conclude "$1" failed "$(why apply "$code")"
    elif [ -n "$skip" ]; then
        conclude "$1" skipped "$skip"
    elif [ "$HOOK_REBOOT" = yes ] && [ -s "$STATE/hooks/$1/changes" ]; then
        set_record "$1" boot "$(boot_id)"
        conclude "$1" waiting "a reboot completes it"
    else
        prove "$1"
    fi
}
advance() { # HOOK ASKED: bring one hook as far as it goes in this boot
    hook_facts "$1"
    open_record "$1"
    if [ "$2" = yes ]; then
        rm -f "$(stamp_of "$1")" "$STATE/hooks/$1/attempts" "$STATE/hooks/$1/changes" "$STATE/hooks/$1/started"
        set_record "$1" status pending
    fi
    [ ! -e "$(stamp_of "$1")" ] || return 0
    status=$(record "$1" status)
    case $status in
    skipped) return 0 ;;
    changed | unchanged) # proven, but the power went away before the stamp
        : >"$(stamp_of "$1")"
        return 0
        ;;
    waiting) [ "$(record "$1" boot)" != "$(boot_id)" ] || return 0 ;;
    blocked) [ "$(record "$1" blocker)" != "$(blocker_of)" ] || return 0 ;;
    failed) [ "$RETRYING" = no ] || is_retry "$1" || return 0 ;;
    esac
    started=$(uptime_now)
    blocker=$(blocker_of)
    if ! is_supported; then
        conclude "$1" skipped "not made for $FAMILY $RELEASE"
    elif [ "$status" = waiting ]; then
        prove "$1"
    elif ! is_retry "$1" && [ "$(attempts_of "$1")" -ge "$(limit_now "$1")" ]; then
        [ "$status" = failed ] || conclude "$1" failed "broke off (power, crash or stop) and is not tried again"
        rm -f "$STATE/hooks/$1/later"
        return 0
    elif [ -n "$blocker" ]; then
        set_record "$1" blocker "$blocker"
        conclude "$1" blocked "needs $blocker, which has not succeeded"
    else
        attempt "$1"
    fi
    spent=$(record "$1" seconds)
    set_record "$1" seconds $((${spent:-0} + $(uptime_now) - started))
}

# --- reports ---------------------------------------------------------------------------------------------

json_string() { # standard input, any bytes, as one JSON string
    printf '"'
    { iconv -c -f UTF-8 -t UTF-8 2>/dev/null || true; } | tr '\000-\011\013-\037\177' ' ' |
        sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' | awk 'NR > 1 { printf "\\n" } { printf "%s", $0 }'
    printf '"'
}
json_items() { # standard input, one item a line, as the inside of a JSON list
    awk '!seen[$0]++' | {
        inner=
        while IFS= read -r item; do
            printf '%s%s' "$inner" "$(printf '%s' "$item" | json_string)"
            inner=', '
        done
    }
}
shown_status() { # the words of the report: changed unchanged failed skipped waiting pending running
    hook_facts "$1"
    shown=$(record "$1" status)
    [ "$(record "$1" digest)" = "$HOOK_DIGEST" ] || shown=pending
    [ "$shown" != blocked ] || shown=skipped
    printf '%s' "$shown"
}
# done: all proven or skipped; failed: something was given up; unfinished: a later boot goes on.
overall() {
    verdict='done'
    for each in $VK_HOOKS; do
        is_settled "$each" || { printf unfinished && return 0; }
        case $(record "$each" status) in failed | blocked) verdict=failed ;; esac
    done
    printf '%s' "$verdict"
}
reboots_done() {
    count=$(cat "$STATE/reboots@$VK_GENERATION" 2>/dev/null) || count=0
    printf '%s' "${count:-0}"
}
report_text() {
    printf '{\n  "format": 1,\n  "node": %s,\n' "$(printf '%s' "$VK_NODE" | json_string)"
    printf '  "fleet": %s,\n' "$(printf '%s' "$VK_FLEET" | json_string)"
    printf '  "generation": %s,\n' "$(printf '%s' "$VK_GENERATION" | json_string)"
    printf '  "state": "%s",\n  "reboots": %s,\n  "hooks": [' "$(overall)" "$(reboots_done)"
    comma=
    for each in $VK_HOOKS; do
        hook_facts "$each"
        printf '%s\n    {"name": "%s", "digest": "%s", "status": "%s", ' "$comma" "$each" "$HOOK_DIGEST" "$(shown_status "$each")"
        took=$(record "$each" seconds)
        printf '"attempts": %s, "seconds": %s, ' "$(attempts_of "$each")" "${took:-0}"
        printf '"reason": %s, "changes": [' "$(record "$each" reason | json_string)"
        record "$each" changes | json_items
        printf '], "notes": ['
        record "$each" notes | json_items
        printf ']}'
        comma=,
    done
    printf '\n  ]\n}\n'
}
summary_text() {
    printf 'ventoy-kit: %s (%s), generation %s: %s\n' "$VK_NODE" "$VK_TITLE" "$VK_GENERATION" "$(overall)" | plain
    printf '\n'
    for each in $VK_HOOKS; do
        note=$(record "$each" reason | plain)
        printf '  %-10s %s%s\n' "$(shown_status "$each")" "$each" "${note:+ - $note}"
    done
    printf '  Details: journalctl -u %s, %s, %s\n' "${UNIT%.service}" "$LOGS" "$STATE/report.json"
}
replace_file() { # FILE MODE: standard input becomes FILE, if it differs
    mkdir -p "$(dirname "$1")"
    cat >"$1.new"
    if [ -f "$1" ] && cmp -s "$1.new" "$1"; then
        rm -f "$1.new"
    else
        chmod "$2" "$1.new"
        mv -f "$1.new" "$1"
    fi
}
# pam_motd shows the files of /etc/motd.d at every login on Debian 12, 13 and Proxmox VE (its second line in
# /etc/pam.d/{login,sshd} sets neither motd= nor motd_dir=). Nothing must be run to show them.
write_reports() {
    report_text | replace_file "$STATE/report.json" 0600
    (umask 022 && mkdir -p "$(dirname "$MOTD")")
    summary_text | replace_file "$MOTD" 0644
}

# --- the verbs -------------------------------------------------------------------------------------------

check_names() {
    for name in "$@"; do is_known "$name" || die "no hook $name on this node; it has: ${VK_HOOKS:-none}"; done
}

# The boot hook writes VK_GRANT (arming, node, generation, pools) into this script when it spends an arming that permits
# pools to be destroyed. A folder per arming remembers that it was taken; a file in it is a permission not used yet.
take_grant() {
    # shellcheck disable=SC2086  # words
    set -- ${VK_GRANT:-}
    [ $# -eq 4 ] && [ "$2 $3" = "$VK_NODE $VK_GENERATION" ] && [ ! -d "$STATE/grants/$1" ] || return 0
    mkdir -p "$STATE/grants/$1"
    for pool in $(printf '%s' "$4" | tr ',' ' '); do : >"$STATE/grants/$1/$pool"; done
}
# What this installation did not use is void.
end_grants() {
    for grant in "$STATE"/grants/*/*; do [ ! -e "$grant" ] || rm -f "$grant"; done
}

do_install() {
    if ! { [ -f "$CODE/first-boot" ] && cmp -s "$0" "$CODE/first-boot"; }; then
        lock
        rm -rf "${CODE:?}.new"
        mkdir -p "$CODE.new"
        put_files "$CODE.new"
        cp "$0" "$CODE.new/first-boot"
        chmod 0700 "$CODE.new/first-boot"
        rm -rf "${CODE:?}"
        mv "$CODE.new" "$CODE"
        exec 9>&- # the unit that fully-up starts takes the lock
    fi
    mkdir -p "$STATE/hooks" "$STATE/done" "$LOGS"
    take_grant
    unit_text | replace_file "$UNIT_FILE" 0644
    systemctl enable "$UNIT"
    write_reports
    say "ventoy-kit: installed for $VK_NODE, hooks: ${VK_HOOKS:-none}"
}
# Proxmox's unit repeats this at the next boot unless it ends with 0, which is what a full disk deserves.
do_fully_up() {
    do_install
    systemctl daemon-reload
    systemctl start --no-block "$UNIT"
}
restart_machine() { # returns only when the budget is spent
    budget=$(reboots_done)
    if [ "$budget" -ge "$REBOOTS" ]; then
        for each in $VK_HOOKS; do
            [ "$(record "$each" status)" = waiting ] || continue
            set_record "$each" attempts "$ATTEMPTS"
            conclude "$each" failed "needs a reboot, but the budget of $REBOOTS reboots is spent"
        done
        return 0
    fi
    printf '%s\n' $((budget + 1)) >"$STATE/reboots@$VK_GENERATION.new"
    mv -f "$STATE/reboots@$VK_GENERATION.new" "$STATE/reboots@$VK_GENERATION"
    write_reports
    settle_disk
    UNDER_WAY=
    say "reboot $((budget + 1)) of at most $REBOOTS"
    systemctl reboot || die "the reboot was refused; reboot by hand to go on"
    exit 0
}
# What failed for a reason that may pass is tried again in this boot, and what waits for it.
retry_some() { # HOOK...
    for round in $(seq "$RETRIES"); do
        again=
        for one in "$@"; do
            if [ "$(record "$one" status)" = failed ] && [ -n "$(record "$one" later)" ]; then again="$again $one"; fi
        done
        [ -n "$again" ] || return 0
        write_reports
        say "ventoy-kit: again in $RETRY_PAUSE s, $round of $RETRIES:$again"
        sleep "$RETRY_PAUSE"
        RETRYING=yes
        for one in "$@"; do advance "$one" no; done
        RETRYING=no
    done
}
do_run() { # [HOOK...]: named hooks run again, whatever their stamps say
    lock
    UNDER_WAY=yes
    mkdir -p "$STATE/hooks" "$STATE/done" "$LOGS"
    system_of
    asked=yes
    # shellcheck disable=SC2086  # a list of names
    [ $# -gt 0 ] || { asked=no && set -- $VK_HOOKS; }
    check_names "$@"
    for one in "$@"; do advance "$one" "$asked"; done
    retry_some "$@"
    reboot_wanted=no
    for one in $VK_HOOKS; do [ "$(record "$one" status)" != waiting ] || reboot_wanted=yes; done
    if [ "$reboot_wanted" = yes ] && [ "$asked" = no ]; then restart_machine; fi
    write_reports
    verdict=$(overall)
    if [ "$verdict" = unfinished ]; then
        systemctl is-enabled --quiet "$UNIT" || systemctl enable "$UNIT"
        if [ "$reboot_wanted" = yes ]; then say "reboot this machine to complete the hooks that wait for it"; fi
    else
        end_grants
        systemctl disable "$UNIT"
    fi
    UNDER_WAY=
    rm -f "$BROKEN"
    say "ventoy-kit: $verdict; $STATE/report.json"
    for one in $VK_HOOKS; do case $(shown_status "$one") in failed) exit 1 ;; esac; done
    [ "$verdict" != failed ]
}
do_verify() { # [HOOK...]: changes nothing, says for each hook whether the machine still is as it was made
    lock
    system_of
    # shellcheck disable=SC2086  # a list of names
    [ $# -gt 0 ] || set -- $VK_HOOKS
    check_names "$@"
    drifted=0
    for one in "$@"; do
        hook_facts "$one"
        if ! is_supported; then
            say "skipped $one: not made for $FAMILY $RELEASE"
            continue
        fi
        if [ "$(record "$one" status)" = skipped ]; then
            say "skipped $one: $(record "$one" reason | plain)"
            continue
        fi
        code=0
        call "$one" verify "$WORK/output" || code=$?
        if [ "$code" -eq 0 ]; then
            say "ok $one"
        else
            say "drift $one: $(why verify "$code" | plain)"
            drifted=1
        fi
    done
    return "$drifted"
}

# What the kit's `hooks verify` asks a node, with a script that it sends: verify by that script's parameters, whatever
# is installed here. Writes nothing but its own temporary folder. Lines: VK1 WORD HOOK TEXT, the last one VK1 end.
do_probe() {
    if [ -e "$LOCK" ]; then
        exec 9<"$LOCK"
        flock -n 9 || die "the runner is at work on this machine; wait for it: journalctl -f -u $UNIT"
    fi
    system_of
    CODE=$WORK/code
    mkdir "$CODE"
    put_files "$CODE"
    for one in $VK_HOOKS; do
        hook_facts "$one"
        probe "$one" | plain_lines
        if [ -e "$(stamp_of "$one")" ]; then
            say "VK1 stamp $one this"
        else
            for stamp in "$STATE/done/$one@"*; do [ ! -e "$stamp" ] || say "VK1 stamp $one other"; done
        fi
    done
    say "VK1 end"
}
plain_lines() { tr '\000-\011\013-\037\177' ' '; }
probe() {
    if ! is_supported; then
        say "VK1 skipped $1 not made for $FAMILY $RELEASE"
    elif [ "$(record "$1" status)" = skipped ] && [ "$(record "$1" digest)" = "$HOOK_DIGEST" ]; then
        say "VK1 skipped $1 $(record "$1" reason)"
    else
        code=0
        call "$1" verify "$WORK/output" || code=$?
        case $code in
        0) say "VK1 ok $1" ;;
        124 | 125 | 126 | 127 | 137) say "VK1 unknown $1 $(why verify "$code")" ;;
        *) say "VK1 drift $1 $(why verify "$code")" ;;
        esac
        result_lines noted | sed "s/^/VK1 noted $1 /"
    fi
}

# What is told when the runner itself could not go on: the report may be what could not be written.
leave() { # CODE
    rm -rf "$WORK"
    [ -n "$UNDER_WAY" ] || return 0
    mkdir -p "${BROKEN%/*}"
    printf 'ventoy-kit: the first-boot hooks of this node broke off (code %s) and go on at the next boot. Is a disk full?\n  Details: journalctl -u %s\n' \
        "$1" "${UNIT%.service}" >"$BROKEN"
    chmod 0644 "$BROKEN"
}

main() {
    [ "$(id -u)" -eq 0 ] || die "must be run by root"
    verb=${1:-}
    [ $# -eq 0 ] || shift
    UNDER_WAY=
    WORK=$(mktemp -d /tmp/ventoy-kit.XXXXXX) || WORK=$(mktemp -d /run/ventoy-kit.XXXXXX)
    trap 'leave $?' EXIT
    trap 'exit 143' HUP INT TERM
    case $verb in
    install) do_install ;;
    fully-up) do_fully_up ;;
    run) do_run "$@" ;;
    status) summary_text ;;
    verify) do_verify "$@" ;;
    probe) do_probe ;;
    *) die "usage: $0 install | fully-up | run [HOOK...] | status | verify [HOOK...] | probe" ;;
    esac
}

main "$@"
