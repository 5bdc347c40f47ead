# Helpers for hooks, installed as a file that a hook reads with: . "$VK_LIB"
# shellcheck shell=sh
#
# A hook talks to the runner through its exit code and through lines in the file $VK_RESULT:
#   changed TEXT   something was changed; several are allowed
#   skipped TEXT   there is nothing to do on this machine; exit 0 after it
#   failed TEXT    why the hook failed or what differs; exit 1 after it
#   later TEXT     it failed, but may well succeed in a minute; exit 1 after it
#   noted TEXT     something worth knowing that is neither; several are allowed

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

# vk_later TEXT: ends the hook as failed; the runner tries it again in the same boot.
vk_later() {
    vk_line later "$1"
    printf 'failed for now: %s\n' "$1" >&2
    exit 1
}

# vk_note TEXT: what people and reports should know, such as which driver is bound.
vk_note() {
    vk_line noted "$1"
    printf 'note: %s\n' "$1"
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

# Permissions of the arming with which this machine was installed (`reimage --destroy-pool`): each is for one pool, for
# this installation, and used up before anything is destroyed.
# vk_permission POOL: sets vk_grant; fails if there is none.
vk_permission() {
    for vk_grant in "$VK_GRANTS"/*/"$1"; do [ ! -f "$vk_grant" ] || return 0; done
    return 1
}
# vk_use_permission: the one that vk_permission found is gone from now on, also after a power cut. Sets vk_arming.
vk_use_permission() {
    vk_arming=$(basename -- "$(dirname -- "$vk_grant")")
    { rm -- "$vk_grant" && sync; } || vk_fail "the permission of the arming $vk_arming cannot be used up; nothing was destroyed"
}

# Whether systemd runs here: in an installer's chroot nothing can be started, and files are read at the boot.
vk_booted() { [ -d /run/systemd/system ]; }

# --- facts of the fleet file ------------------------------------------------------------------------------

# shellcheck disable=SC2034  # for hooks: while IFS="$VK_TAB" read -r name serial
VK_TAB=$(printf '\t')

# vk_table TABLE: the whole table. Ends the hook if hook.yaml does not declare it.
vk_table() {
    printenv "VK_FACT_$(printf '%s' "$1" | tr '[:lower:]' '[:upper:]')" ||
        vk_fail "hook.yaml does not say facts: [$1]"
}

# vk_rows TABLE COLUMN...: these columns of every row, separated by tabs.
vk_rows() {
    vk_from=$(vk_table "$1") || exit 1
    shift
    printf '%s\n' "$vk_from" | awk -F '\t' -v wanted="$*" '
        NR == 1 {
            for (i = 1; i <= NF; i++) at[$i] = i
            count = split(wanted, column, " ")
            for (i = 1; i <= count; i++)
                if (!(column[i] in at)) { print "no column " column[i] >"/dev/stderr"; exit 1 }
            next
        }
        { for (i = 1; i <= count; i++) printf "%s%s", $at[column[i]], i < count ? "\t" : "\n" }'
}

# vk_fact TABLE KEY COLUMN: that column of the rows whose first column is KEY; fails without such a row.
vk_fact() {
    vk_from=$(vk_table "$1") || exit 1
    printf '%s\n' "$vk_from" | VK_KEY=$2 VK_COLUMN=$3 awk -F '\t' '
        NR == 1 { for (i = 1; i <= NF; i++) if ($i == ENVIRON["VK_COLUMN"]) at = i; next }
        at && $1 == ENVIRON["VK_KEY"] { print $at; found = 1 }
        END { exit !found }'
}

# --- packages ---------------------------------------------------------------------------------------------

VK_LOCK_WAIT=${VK_LOCK_WAIT:-120} # seconds in all that one script waits for apt's and dpkg's locks

# vk_apt ARGUMENT...: apt-get, which waits for its locks. Ends the hook with vk_later if another program keeps one.
vk_apt() {
    while :; do
        vk_code=0
        apt-get -q -y -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -o Acquire::Retries=2 \
            -o Dpkg::Use-Pty=0 "$@" >"$VK_WORK/apt" 2>&1 || vk_code=$?
        cat "$VK_WORK/apt"
        if [ "$vk_code" -eq 0 ]; then return 0; fi
        grep -Eq '^E: (Could not get lock|Unable to (acquire|lock))' "$VK_WORK/apt" || return "$vk_code"
        if [ "$VK_LOCK_WAIT" -le 0 ]; then vk_later "$(sed -n 's/^E: //p' "$VK_WORK/apt" | head -n 1)"; fi
        VK_LOCK_WAIT=$((VK_LOCK_WAIT - 5))
        sleep 5
    done
}
vk_apt_said() { sed -n 's/^[EW]: //p' "$VK_WORK/apt" | tail -n 3 | paste -s -d ' '; }

vk_is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' -- "$1" 2>/dev/null)" = installed ]; }

# vk_install [OPTION...] PACKAGE...: install what is missing; an OPTION begins with - and goes to apt-get. What an
# attempt that broke off has left half-configured is configured first.
vk_install() {
    vk_options=
    vk_missing=
    for vk_word in "$@"; do
        case $vk_word in
        -*) vk_options="$vk_options $vk_word" ;;
        *) vk_is_installed "$vk_word" || vk_missing="$vk_missing $vk_word" ;;
        esac
    done
    [ -n "$vk_missing" ] || return 0
    if [ -n "$(dpkg --audit)" ]; then
        dpkg --force-confdef --force-confold --configure -a || vk_later "dpkg cannot finish what broke off before"
    fi
    vk_lists=fresh
    vk_apt -o APT::Update::Error-Mode=any update || vk_lists="not fresh: $(vk_apt_said)"
    # shellcheck disable=SC2086  # lists of words
    if ! vk_apt --simulate install $vk_options -- $vk_missing; then
        [ "$vk_lists" = fresh ] || vk_later "the package lists are $vk_lists"
        vk_fail "cannot be installed:$vk_missing: $(vk_apt_said)"
    fi
    # shellcheck disable=SC2086  # lists of words
    if ! vk_apt --download-only install $vk_options -- $vk_missing; then
        if grep -Eq 'No space left|enough free space' "$VK_WORK/apt"; then vk_fail "the disk is full: $(vk_apt_said)"; fi
        vk_later "cannot be fetched:$vk_missing: $(vk_apt_said)"
    fi
    # shellcheck disable=SC2086  # lists of words
    vk_apt install $vk_options -- $vk_missing || vk_fail "installation of$vk_missing broke off: $(vk_apt_said)"
    for vk_word in $vk_missing; do
        vk_is_installed "$vk_word" || vk_fail "$vk_word is not installed, though apt says so"
        vk_changed "package $vk_word"
    done
}

# --- boot ----------------------------------------------------------------------------------------------------

# vk_loaders: the boot loaders in use, one a line: grub, systemd-boot. proxmox-boot-tool keeps the ids of its EFI
# partitions in a file and says of each what it is configured with. Whether settings files exist tells nothing:
# on ZFS the Proxmox installer writes those of both loaders.
vk_loaders() {
    if [ -s /etc/kernel/proxmox-boot-uuids ]; then
        proxmox-boot-tool status 2>/dev/null | sed -n 's/.* is configured with: \([^(]*\).*/\1/p' | tr -s ', ' '\n' |
            sed -n -e 's/^uefi$/systemd-boot/p' -e 's/^grub$/grub/p' | sort -u
    elif [ -f /boot/grub/grub.cfg ]; then
        echo grub
    elif command -v bootctl >/dev/null && bootctl is-installed --quiet; then
        echo systemd-boot
    fi
}

# vk_refresh_loader: make the loader in use read its settings.
vk_refresh_loader() {
    if [ -s /etc/kernel/proxmox-boot-uuids ]; then
        proxmox-boot-tool refresh
    elif [ -f /boot/grub/grub.cfg ]; then
        update-grub
    elif command -v bootctl >/dev/null && bootctl is-installed --quiet; then
        for vk_image in /boot/vmlinuz-*; do
            kernel-install add "${vk_image#/boot/vmlinuz-}" "$vk_image" || return 1
        done
    else
        vk_fail "no boot loader known to ventoy-kit is in use"
    fi
}

vk_add_words() { # WORDS: reads a kernel command line, adds what is missing; it is one line
    awk -v words="$1" '
        NR > 1 { next }
        {
            count = split(words, word, " ")
            for (i = 1; i <= count; i++) if (!index(" " $0 " ", " " word[i] " ")) $0 = $0 " " word[i]
            sub(/^ +/, "")
            print
        }'
}

# vk_boot_words NAME WORDS: have the installed system start with these kernel parameters, by the loader in use.
# NAME names the drop-in file. Words that somebody else added stay; empty WORDS remove the drop-in. Whoever calls
# it ends with vk_settle_boot.
vk_boot_words() {
    vk_found=$(vk_loaders)
    [ -n "$vk_found" ] || [ -z "$2" ] || vk_fail "the boot loader in use was not recognised; set these by hand: $2"
    case $vk_found in *systemd-boot*)
        [ -f /etc/kernel/cmdline ] || [ -z "$2" ] || vk_fail "/etc/kernel/cmdline is missing; write the command line of this system there"
        if [ -n "$2" ] && [ "$(vk_add_words "$2" </etc/kernel/cmdline)" != "$(cat /etc/kernel/cmdline)" ]; then
            vk_owe loader
            vk_edit /etc/kernel/cmdline vk_add_words "$2"
        fi
        ;;
    esac
    vk_drop=/etc/default/grub.d/ventoy-kit-$1.cfg
    case $vk_found in *grub*)
        if [ -z "$2" ]; then
            [ ! -f "$vk_drop" ] || { vk_owe loader && rm -f "$vk_drop" && vk_changed "$vk_drop removed"; }
            return 0
        fi
        # shellcheck disable=SC2016  # grub-mkconfig expands it
        printf '# Written by ventoy-kit (hook %s).\nGRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT %s"\n' "$1" "$2" \
            >"$VK_WORK/words"
        if ! cmp -s "$VK_WORK/words" "$vk_drop"; then
            vk_owe loader
            vk_put "$vk_drop" 644 <"$VK_WORK/words"
        fi
        ;;
    esac
}

# vk_early FILE MODE: like vk_put, for a file that the initramfs takes in.
vk_early() {
    cat >"$VK_WORK/early"
    if cmp -s "$VK_WORK/early" "$1"; then return 0; fi
    vk_owe initramfs
    vk_put "$1" "$2" <"$VK_WORK/early"
}
vk_early_gone() { # FILE
    [ -e "$1" ] || return 0
    vk_owe initramfs
    rm -f -- "$1" || vk_fail "$1 cannot be removed"
    vk_changed "$1 removed"
}

# vk_settle_boot: do what vk_boot_words and vk_early made necessary. On Proxmox VE update-initramfs refreshes the
# loader too, but only where proxmox-boot-tool is used.
vk_settle_boot() {
    if vk_owes initramfs; then
        update-initramfs -u -k all || vk_fail "the initramfs could not be made: is there room in /boot?"
        vk_paid initramfs
        vk_changed "initramfs"
    fi
    if vk_owes loader; then
        vk_refresh_loader || vk_fail "the boot loader could not be refreshed"
        vk_paid loader
        vk_changed "boot loader refreshed"
    fi
}

# vk_check_boot WORDS: verify that nothing is owed and that this kernel was started with WORDS.
vk_check_boot() {
    if vk_owes initramfs; then vk_drift "the initramfs was not made anew"; fi
    if vk_owes loader; then vk_drift "the boot loader was not refreshed"; fi
    for vk_word in $1; do
        tr ' ' '\n' </proc/cmdline | grep -qxF -e "$vk_word" || vk_drift "this boot's command line lacks $vk_word"
    done
}

# vk_unit NAME: read units anew, have NAME started at each boot, and (re)start it now if systemd runs.
vk_unit() {
    if [ "$(systemctl is-enabled "$1" 2>/dev/null)" != enabled ]; then
        systemctl enable "$1" || vk_fail "$1 could not be enabled"
        vk_changed "$1 enabled"
    fi
    vk_booted || return 0
    systemctl daemon-reload
    systemctl restart "$1" || vk_fail "$1 could not be started: $(systemctl status --no-pager -n 3 "$1" 2>&1 | tail -n 3)"
}
