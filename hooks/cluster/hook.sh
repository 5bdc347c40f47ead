#!/bin/sh
# Names, addresses and time, as a node needs them to join a cluster of Proxmox VE.
set -eu
# shellcheck source=/dev/null  # given by the runner
. "$VK_LIB"

HOSTS=/etc/hosts
BEGIN='# ventoy-kit: members of the cluster'
END='# ventoy-kit: end'
WAIT=${VK_CLOCK_WAIT:-60} # seconds for the clock
ADVICE='between members these must be open: UDP 5405-5412 (corosync), TCP 22 (SSH) and 8006 (API)'

links() { vk_rows cluster links | tr ',' '\n' | grep -vx -e - -e '' || true; }

# block: a line per member. The node's own line is the installer's.
block() {
    printf '%s\n' "$BEGIN"
    vk_rows nodes name fqdn address | while IFS="$VK_TAB" read -r name fqdn address; do
        [ "$name" = "$VK_NODE" ] || printf '%s %s %s\n' "$address" "$fqdn" "$name"
    done
    printf '%s\n' "$END"
}

# Replaces our block, or adds it at the end; what else stands there stays.
with_block() {
    awk -v begin="$BEGIN" -v end="$END" '$0 == begin { skip = 1 } !skip { print } $0 == end { skip = 0 }'
    block
}

# resolves NAME ADDRESS: does the name lead there, as programs on this machine see it?
resolves() { getent ahosts "$1" | awk '{ print $1 }' | sort -u | grep -Fxq -e "$2"; }
in_sync() { [ "$(timedatectl show --property=NTPSynchronized --value 2>/dev/null)" = yes ]; }

# missing_links: networks of links in which this node has no address.
missing_links() {
    links >"$VK_WORK/links"
    while IFS= read -r network; do
        cidr=$(vk_fact networks "$network" cidr)
        [ -n "$(ip -o address show to "$cidr")" ] || printf '%s (%s)\n' "$network" "$cidr"
    done <"$VK_WORK/links"
}

needs_cluster() { [ -n "$(vk_rows cluster name)" ] || vk_skip "the fleet file describes no cluster"; }
own_address() { vk_fact nodes "$VK_NODE" address; }

apply() {
    needs_cluster
    [ "$(hostname -s)" = "$VK_NODE" ] || vk_fail "the host is called $(hostname -s), not $VK_NODE; a name is final once the node has joined"
    vk_edit "$HOSTS" with_block
    resolves "$VK_NODE" "$(own_address)" || vk_fail "$VK_NODE does not lead to $(own_address); see $HOSTS"
    lacking=$(missing_links | paste -s -d ',')
    [ -z "$lacking" ] || vk_fail "no address for the links in $lacking; see /etc/network/interfaces"
    while ! in_sync; do
        [ "$WAIT" -gt 0 ] || vk_later "the clock is not in sync; see timedatectl and the hook time"
        WAIT=$((WAIT - 5))
        sleep 5
    done
    vk_note "$ADVICE"
}

verify() {
    needs_cluster
    vk_rows nodes name address >"$VK_WORK/nodes"
    while IFS="$VK_TAB" read -r name address; do
        resolves "$name" "$address" || vk_drift "$name does not lead to $address"
    done <"$VK_WORK/nodes"
    missing_links >"$VK_WORK/lacking"
    while IFS= read -r lacking; do vk_drift "no address for the link in $lacking"; done <"$VK_WORK/lacking"
    in_sync || vk_drift "the clock is not in sync"
    for port in 22 8006; do
        ss -H -l -t -n "sport = :$port" | grep -q . || vk_drift "nothing listens on TCP $port"
    done
    vk_verdict
}

case ${1:-} in
apply) apply ;;
verify) verify ;;
*) vk_fail "verbs: apply, verify" ;;
esac
