#!/bin/sh
# Update channel of Proxmox VE and components of Debian's archive.
set -eu
# shellcheck source=/dev/null  # given by the runner
. "$VK_LIB"

LISTS=/etc/apt/sources.list.d
KEYRING=/usr/share/keyrings/proxmox-archive-keyring.gpg
# Names of the repositories as in pve-docs (pve-package-repos.adoc).
ENTERPRISE=https://enterprise.proxmox.com/debian
NO_SUBSCRIPTION=http://download.proxmox.com/debian/pve

codename() (
    # shellcheck disable=SC1091  # a file of the machine
    . /etc/os-release
    printf '%s' "$VERSION_CODENAME"
)

# switch WANTED URI-PART: reads a deb822 file and sets Enabled in each stanza that names URI-PART. A stanza
# that is right already stays as it is. The words apt takes for "no" are those of its StringToBool.
switch() {
    awk -v wanted="$1" -v part="$2" '
        function flush(   i, on, hit) {
            on = "yes"
            for (i = 1; i <= n; i++) {
                if (line[i] ~ /^#/) continue
                if (index(line[i], part)) hit = 1
                if (tolower(line[i]) ~ /^enabled[ \t]*:[ \t]*(no|false|without|off|disable|0)[ \t]*$/) on = "no"
            }
            for (i = 1; i <= n; i++)
                if (!(hit && on != wanted && tolower(line[i]) ~ /^enabled[ \t]*:/)) print line[i]
            if (hit && on != wanted && wanted == "no") print "Enabled: no"
            n = 0
        }
        /^[ \t]*$/ { flush(); print; next }
        { line[++n] = $0 }
        END { flush() }'
}

# extend_stanzas WORDS: reads a deb822 file and adds the missing WORDS to each Components field.
extend_stanzas() {
    awk -v words="$1" '
        function flush(   i, j, last, inside, all, count, word) {
            all = " "
            for (i = 1; i <= n; i++) {
                if (line[i] ~ /^#/) continue
                if (line[i] !~ /^[ \t]/) inside = tolower(line[i]) ~ /^components[ \t]*:/
                if (inside) { last = i; sub(/^[^:]*:/, " ", copy[i]); all = all copy[i] " " }
            }
            gsub(/[ \t]+/, " ", all)
            count = last ? split(words, word, " ") : 0
            for (j = 1; j <= count; j++)
                if (!index(all, " " word[j] " ")) line[last] = line[last] " " word[j]
            for (i = 1; i <= n; i++) print line[i]
            n = 0
        }
        /^[ \t]*$/ { flush(); print; next }
        { line[++n] = $0; copy[n] = $0 }
        END { flush() }'
}

# extend_lines WORDS: the same for the one-line format; entries of a CD stay as they are.
extend_lines() {
    awk -v words="$1" '
        /^[ \t]*deb(-src)?[ \t]/ && !/cdrom:/ {
            remark = ""
            entry = $0
            if ((at = index(entry, "#")) > 0) { remark = " " substr(entry, at); entry = substr(entry, 1, at - 1) }
            sub(/[ \t]+$/, "", entry)
            all = entry " "
            gsub(/[ \t]+/, " ", all)
            before = entry
            count = split(words, word, " ")
            for (j = 1; j <= count; j++)
                if (!index(all, " " word[j] " ")) entry = entry " " word[j]
            if (entry != before) { print entry remark; next }
        }
        { print }'
}

words() { printf '%s' "$VK_PARAM_DEBIAN_COMPONENTS" | tr '\n' ' '; }

switch_all() { # WANTED URI-PART
    for file in "$LISTS"/*.sources; do
        if [ -f "$file" ] && grep -Fq -- "$2" "$file"; then vk_edit "$file" switch "$1" "$2"; fi
    done
}

stanza() { # URI COMPONENT
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: %s\nSigned-By: %s\n' "$1" "$(codename)" "$2" "$KEYRING"
}

apply() {
    if [ "$VK_FAMILY" = proxmox-ve ]; then
        [ -s "$KEYRING" ] || vk_fail "$KEYRING is missing; apt would refuse every Proxmox package"
        if [ "$VK_PARAM_CHANNEL" = no-subscription ]; then
            switch_all no "$ENTERPRISE/"
            stanza "$NO_SUBSCRIPTION" pve-no-subscription | vk_put "$LISTS/proxmox.sources" 644
        else
            switch_all yes "$ENTERPRISE/pve"
            grep -Fqs -- "$ENTERPRISE/pve" "$LISTS"/*.sources ||
                stanza "$ENTERPRISE/pve" pve-enterprise | vk_put "$LISTS/pve-enterprise.sources" 644
            switch_all no "$NO_SUBSCRIPTION"
        fi
    fi
    # The two files in which Debian's and Proxmox's installers keep Debian's own archive.
    if [ -f "$LISTS/debian.sources" ]; then vk_edit "$LISTS/debian.sources" extend_stanzas "$(words)"; fi
    if [ -f /etc/apt/sources.list ]; then vk_edit /etc/apt/sources.list extend_lines "$(words)"; fi
}

# What apt makes of all its files: one "URI component" a line. Without --no-release-info it leaves out what it
# has not downloaded yet.
# shellcheck disable=SC2016  # apt expands these
targets() { apt-get indextargets --no-release-info --format '$(REPO_URI) $(COMPONENT)' 'Created-By: Packages'; }

verify() {
    targets >"$VK_WORK/targets" || vk_fail "apt cannot read its sources"
    if [ "$VK_FAMILY" = proxmox-ve ]; then
        [ -s "$KEYRING" ] || vk_drift "$KEYRING is missing"
        if [ "$VK_PARAM_CHANNEL" = no-subscription ]; then
            grep -q ' pve-no-subscription$' "$VK_WORK/targets" || vk_drift "pve-no-subscription is not enabled"
            if grep -Fq "$ENTERPRISE/" "$VK_WORK/targets"; then vk_drift "an enterprise repository is enabled"; fi
        else
            grep -q ' pve-enterprise$' "$VK_WORK/targets" || vk_drift "pve-enterprise is not enabled"
            if grep -q ' pve-no-subscription$' "$VK_WORK/targets"; then vk_drift "pve-no-subscription is enabled"; fi
        fi
    fi
    # A key that is missing makes apt refuse the repository, and with it every later installation.
    # shellcheck disable=SC2016  # apt expands it
    apt-get indextargets --no-release-info --format '$(SIGNED_BY)' 'Created-By: Packages' | sort -u >"$VK_WORK/keyrings"
    while IFS= read -r keyring; do
        case $keyring in /*) [ -s "$keyring" ] || vk_drift "the keyring $keyring is missing" ;; esac
    done <"$VK_WORK/keyrings"
    for word in $(words); do
        grep -q " $word\$" "$VK_WORK/targets" || vk_drift "component $word of Debian is not enabled"
    done
    vk_verdict
}

case ${1:-} in
apply) apply ;;
verify) verify ;;
*) vk_fail "verbs: apply, verify" ;;
esac
