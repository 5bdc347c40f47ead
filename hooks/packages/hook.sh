#!/bin/sh
# Packages to have, and not to have.
set -eu
# shellcheck source=/dev/null  # given by the runner
. "$VK_LIB"

words() { printf '%s' "$1" | tr '\n' ' '; }
# Also true of a package of which only the configuration is left.
# shellcheck disable=SC2016  # dpkg-query expands it
is_there() { dpkg-query -W -f '${db:Status-Abbrev}' -- "$1" 2>/dev/null | grep -qv '^.n'; }

remove() {
    present=
    for package in $(words "$VK_PARAM_REMOVE"); do
        if is_there "$package"; then present="$present $package"; fi
    done
    [ -n "$present" ] || return 0
    # shellcheck disable=SC2086  # a list of names
    apt-get -s purge -- $present >"$VK_WORK/plan" 2>&1 || vk_fail "apt cannot remove$present: $(grep '^E:' "$VK_WORK/plan" | head -n 2)"
    also=$(awk -v asked="$present " '$1 == "Remv" || $1 == "Purg" { if (!index(asked, " " $2 " ")) print $2 }' "$VK_WORK/plan" |
        sort -u | paste -s -d ' ')
    [ -z "$also" ] || vk_fail "removing$present would also remove: $also; list them too if that is meant"
    # shellcheck disable=SC2086  # a list of names
    vk_apt purge -- $present || vk_fail "apt could not remove$present: $(vk_apt_said)"
    vk_changed "removed$present"
}

apply() {
    for package in $(words "$VK_PARAM_INSTALL"); do
        case " $(words "$VK_PARAM_REMOVE") " in *" $package "*) vk_fail "$package is to be installed and to be removed" ;; esac
    done
    option=--no-install-recommends
    [ "$VK_PARAM_RECOMMENDS" = false ] || option=--install-recommends
    # shellcheck disable=SC2046  # a list of names
    vk_install "$option" $(words "$VK_PARAM_INSTALL")
    remove
}

verify() {
    for package in $(words "$VK_PARAM_INSTALL"); do
        vk_is_installed "$package" || vk_drift "$package is not installed"
    done
    for package in $(words "$VK_PARAM_REMOVE"); do
        if is_there "$package"; then vk_drift "$package is still there"; fi
    done
    [ -z "$(dpkg --audit)" ] || vk_drift "dpkg complains: $(dpkg --audit | head -n 1)"
    vk_verdict
}

case ${1:-} in
apply) apply ;;
verify) verify ;;
*) vk_fail "verbs: apply, verify" ;;
esac
