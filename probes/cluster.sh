#!/bin/sh
# What a node knows of its cluster. Reads only. Prints lines of "vk:NAME EXIT-CODE BASE64", the last one named end.
LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL PATH

# field NAME COMMAND...: what a command prints, and its exit code. /etc/pve of a cluster that is ill may hang.
field() {
    name=$1
    shift
    code=0
    text=$(timeout 20 "$@" 2>/dev/null </dev/null) || code=$?
    printf 'vk:%s %s %s\n' "$name" "$code" "$(printf '%s\n' "$text" | base64 | tr -d '\n')"
}

# Files that Proxmox VE refuses to join with.
remains() {
    for file in /etc/corosync/authkey /etc/corosync/corosync.conf; do
        [ ! -e "$file" ] || printf '%s\n' "$file"
    done
}

guests() {
    for file in /etc/pve/nodes/"$(hostname -s)"/qemu-server/*.conf /etc/pve/nodes/"$(hostname -s)"/lxc/*.conf; do
        [ ! -e "$file" ] || printf '%s\n' "${file##*/}"
    done
}

field hostname hostname -s
field time date +%s
field version pveversion
field addresses ip -o address
# Byte for byte, with the empty lines at its end: what is put in its place is made of it.
code=0
text=$(timeout 20 base64 /etc/pve/corosync.conf 2>/dev/null) || code=$?
printf 'vk:conf %s %s\n' "$code" "$(printf '%s' "$text" | tr -d '\n')"
field status pvecm status
field join pvesh get /cluster/config/join --output-format json
printf 'vk:remains 0 %s\n' "$(remains | base64 | tr -d '\n')"
printf 'vk:guests 0 %s\n' "$(guests | base64 | tr -d '\n')"
printf 'vk:end 0 \n'
