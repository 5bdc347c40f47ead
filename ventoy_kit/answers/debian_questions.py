"""The questions of the Debian installer, written by scripts/make_questions.py.

Read from the templates of the netboot packages of Debian 12 and 13 and of those installer components that a mirror
has. Parted by `|`: name, releases, type, and the choices where they are fixed.
"""

TABLE = """\
anna/choose_modules|12+13|multiselect|
anna/choose_modules_lowmem|12+13|multiselect|
anna/no_kernel_modules|12+13|boolean|
anna/retriever|12+13|string|
anna/standard_modules|12+13|boolean|
apt-setup/cdrom/set-double|13|boolean|
apt-setup/cdrom/set-failed|13|boolean|
apt-setup/cdrom/set-first|13|boolean|
apt-setup/cdrom/set-next|13|boolean|
apt-setup/contrib|13|boolean|
apt-setup/disable-cdrom-entries|13|boolean|
apt-setup/enable-source-repositories|13|boolean|
apt-setup/local/key-error|13|select|Ignore, Retry
apt-setup/mirror/error|13|select|Change mirror, Ignore, Retry
apt-setup/multiarch|13|string|
apt-setup/no_mirror|13|boolean|
apt-setup/non-free|13|boolean|
apt-setup/non-free-firmware|13|boolean|
apt-setup/security_host|13|string|
apt-setup/services-select|13|multiselect|backports, security, updates
apt-setup/use_mirror|13|boolean|
auto-install/cloak_initrd_preseed|13|boolean|
auto-install/defaultroot|12+13|string|
auto-install/enable|12+13|boolean|
base-installer/debootstrap_script|12+13|string|
base-installer/excludes|12+13|string|
base-installer/includes|12+13|string|
base-installer/initramfs-tools/driver-policy|12+13|select|dep, most
base-installer/initramfs/generator|12+13|select|
base-installer/install-recommends|12+13|boolean|
base-installer/kernel/image|12+13|select|
base-installer/kernel/linux/extra-packages|12+13|string|
base-installer/kernel/linux/extra-packages-2.6|12+13|string|
base-installer/kernel/linux/initramfs-tools/driver-policy|12+13|string|
base-installer/kernel/linux/initrd-2.6|12+13|boolean|
base-installer/kernel/linux/link_in_boot|12+13|boolean|
base-installer/kernel/skip-install|12+13|boolean|
base-installer/use_unclean_target|12+13|boolean|
cdrom-detect/cdrom_device|13|string|
cdrom-detect/cdrom_fs|13|string|
cdrom-detect/cdrom_module|13|select|
cdrom-detect/eject|13|boolean|
cdrom-detect/hybrid|13|boolean|
cdrom-detect/load_media|13|boolean|
cdrom-detect/manual_config|13|boolean|
cdrom-detect/retry|13|boolean|
cdrom-detect/success|13|note|
cdrom-detect/unetbootin_detected|13|note|
cdrom-detect/usb-hdd|13|boolean|
cdrom/codename|13|string|
cdrom/suite|13|select|stable, testing, unstable
clock-setup/hwclock-wait|13|boolean|
clock-setup/ntp|13|boolean|
clock-setup/ntp-server|13|string|
clock-setup/system-time-changed|13|boolean|
clock-setup/utc|13|boolean|
debconf/frontend|12+13|string|
debconf/language|12+13|string|
debconf/priority|12+13|select|critical, high, low, medium
debconf/showold|12+13|boolean|
debconf/translations-dropped|12+13|boolean|
debian-installer/add-kernel-opts|12+13|string|
debian-installer/allow_unauthenticated|12+13|boolean|
debian-installer/allow_unauthenticated_ssl|12+13|boolean|
debian-installer/consoledisplay|12+13|string|
debian-installer/country|12+13|string|
debian-installer/depthcharge-tools-installer/title|13|note|
debian-installer/dummy|12+13|string|
debian-installer/exit/always_halt|12+13|boolean|
debian-installer/exit/halt|12+13|boolean|
debian-installer/exit/poweroff|12+13|boolean|
debian-installer/framebuffer|12+13|boolean|
debian-installer/language|12+13|string|
debian-installer/locale|12+13|select|
debian-installer/main-menu|12+13|select|
debian-installer/missing-provide|12+13|select|
debian-installer/shell-plugin|12+13|terminal|
debian-installer/theme|12+13|string|
depthcharge-tools-installer/board|13|string|
depthcharge-tools-installer/initramfs_too_big|13|boolean|
depthcharge-tools-installer/progress|13|note|
depthcharge-tools-installer/progress/build_image|13|note|
depthcharge-tools-installer/progress/check_parts|13|note|
depthcharge-tools-installer/progress/install_tools|13|note|
depthcharge-tools-installer/progress/update_initramfs|13|note|
depthcharge-tools-installer/progress/write_image|13|note|
di-utils-reboot/really_reboot|12+13|boolean|
di-utils-shell/do-shell|12+13|note|
ethdetect/module_select|12+13|select|
ethdetect/prompt_missing_firmware|12+13|boolean|
ethdetect/use_firewire_ethernet|12+13|boolean|
finish-install/keep-consoles|13|boolean|
finish-install/reboot_in_progress|13|note|
grub-installer/bootdev|13|string|
grub-installer/choose_bootdev|13|select|
grub-installer/enable_os_prober_otheros_no|13|boolean|
grub-installer/enable_os_prober_otheros_yes|13|boolean|
grub-installer/force-efi-extra-removable|13|boolean|
grub-installer/grub_not_mature_on_this_platform|13|boolean|
grub-installer/make_active|13|boolean|
grub-installer/only_debian|13|boolean|
grub-installer/password|13|password|
grub-installer/password-again|13|password|
grub-installer/password-crypted|13|password|
grub-installer/skip|13|boolean|
grub-installer/update-nvram|13|boolean|
grub-installer/with_other_os|13|boolean|
hw-detect/load-ide|12+13|boolean|
hw-detect/load_firmware|12+13|boolean|
hw-detect/load_media|12+13|boolean|
hw-detect/pcmcia_resources|12+13|string|
hw-detect/retry_params|12+13|string|
hw-detect/select_modules|12+13|multiselect|
hw-detect/start_pcmcia|12+13|boolean|
keyboard-configuration/altgr|12+13|select|Both Alt keys, Both Logo keys, Keypad Enter key, Left Alt, Left Logo key, Menu key, No AltGr key, Right Alt (AltGr), Right Control, Right Logo key, The default for the keyboard layout
keyboard-configuration/compose|12+13|select|Caps Lock, Left Logo key, Menu key, No compose key, Right Alt (AltGr), Right Control, Right Logo key
keyboard-configuration/ctrl_alt_bksp|12+13|boolean|
keyboard-configuration/layout|12+13|select|
keyboard-configuration/layoutcode|12+13|string|
keyboard-configuration/model|12+13|select|
keyboard-configuration/modelcode|12+13|string|
keyboard-configuration/optionscode|12+13|string|
keyboard-configuration/store_defaults_in_debconf_db|12+13|boolean|
keyboard-configuration/switch|12+13|select|Both Logo keys, Left Alt, Left Logo key, No temporary switch, Right Alt (AltGr), Right Logo key
keyboard-configuration/toggle|12+13|select|Alt+Caps Lock, Alt+Shift, Caps Lock, Control+Alt, Control+Shift, Left Alt, Left Control, Left Control+Left Shift, Left Logo key, Left Shift, Menu key, No toggling, Right Alt (AltGr), Right Control, Right Logo key, Right Shift, Scroll Lock key
keyboard-configuration/unsupported_config_layout|12+13|boolean|
keyboard-configuration/unsupported_config_options|12+13|boolean|
keyboard-configuration/unsupported_layout|12+13|boolean|
keyboard-configuration/unsupported_options|12+13|boolean|
keyboard-configuration/variant|12+13|select|
keyboard-configuration/variantcode|12+13|string|
keyboard-configuration/xkb-keymap|12+13|select|al, ara, ba, bd, be, bg, bg(phonetic), br, bt, by, ca, ca(multi), ca(multix), ch, ch(fr), cn, cn(tib), cn(ug), cz, de, dk, dz, dz(la), ee, epo, es, es(ast), es(cat), et, fi, fr(latin9), gb, ge, gr, hr, hu, ie, il, in, in(ben), in(guj), in(guru), in(jhelum), in(kan), in(mal), in(tam), in(tel), ir, is, it, jp, kg, kh, kr(kr104), kz, la, latam, lk, lt, lv, mk, mm, nl, no, no(smi), np, ph, pk(snd), pl, pt, ro, rs, ru, se, si, sk, th, tj, tr, tr(f), tr(ku), tr(ku_f), tw(indigenous), ua, us, us(dvorak), vn
localechooser/continentlist|12+13|select|Africa, Antarctica, Asia, Atlantic Ocean, Caribbean, Central America, Europe, Indian Ocean, North America, Oceania, South America
localechooser/help/locale|12+13|note|
localechooser/languagelist|12+13|select|
localechooser/preferred-locale|12+13|select|
localechooser/supported-locales|12+13|multiselect|
lowmem/low|12+13|note|
mirror/codename|12+13|string|
mirror/country|12+13|string|
mirror/ftp/directory|12+13|string|
mirror/ftp/hostname|12+13|string|
mirror/ftp/proxy|12+13|string|
mirror/http/countries|12+13|select|AM, AR, AT, AU, AZ, BD, BE, BG, BR, BY, CA, CH, CL, CN, CR, CZ, DE, DK, EE, ES, FI, FR, GB, GE, GR, HK, HR, HU, ID, IL, IN, IR, IS, IT, JP, KE, KH, KR, KZ, LT, LU, LV, MA, MD, MK, MX, NC, NL, NO, NZ, PL, PR, PT, RE, RO, RS, RU, SE, SG, SI, SK, TH, TR, TW, UA, US, UY, VN, ZA, manual
mirror/http/directory|12+13|string|
mirror/http/hostname|12+13|string|
mirror/http/mirror|12+13|select|
mirror/http/proxy|12+13|string|
mirror/https/countries|12+13|select|manual
mirror/no-default|12+13|boolean|
mirror/protocol|12+13|select|
mirror/suite|12+13|select|
netcfg/choose_interface|12+13|select|
netcfg/confirm_static|12+13|boolean|
netcfg/dhcp_failed|12+13|note|
netcfg/dhcp_hostname|12+13|string|
netcfg/dhcp_options|12+13|select|
netcfg/dhcp_timeout|12+13|string|
netcfg/dhcpv6_timeout|12+13|string|
netcfg/disable_autoconfig|12+13|boolean|
netcfg/disable_dhcp|12+13|boolean|
netcfg/enable|12+13|boolean|
netcfg/get_domain|12+13|string|
netcfg/get_gateway|12+13|string|
netcfg/get_hostname|12+13|string|
netcfg/get_ipaddress|12+13|string|
netcfg/get_nameservers|12+13|string|
netcfg/get_netmask|12+13|string|
netcfg/get_pointopoint|12+13|string|
netcfg/hostname|12+13|string|
netcfg/kill_switch_enabled|12+13|note|
netcfg/link_wait_timeout|12+13|string|
netcfg/no_default_route|12+13|boolean|
netcfg/target_network_config|12+13|select|ifupdown, loopback, netplan, nm_config
netcfg/use_autoconfig|12+13|boolean|
netcfg/wireless_adhoc_managed|12+13|select|Ad-hoc network (Peer to peer), Infrastructure (Managed) network
netcfg/wireless_essid|12+13|string|
netcfg/wireless_essid_again|12+13|string|
netcfg/wireless_security_type|12+13|select|wep/open, wpa
netcfg/wireless_show_essids|12+13|select|
netcfg/wireless_wep|12+13|string|
netcfg/wireless_wpa|12+13|string|
netcfg/wpa_supplicant_failed|12+13|note|
nobootloader/confirmation_common|13|note|
nobootloader/confirmation_powerpc_chrp_pegasos|13|note|
nobootloader/confirmation_powerpc_pasemi|13|note|
partman-auto-crypto/erase_disks|12+13|boolean|
partman-auto-lvm/guided_size|12+13|string|
partman-auto-lvm/new_vg_name|12+13|string|
partman-auto-lvm/new_vg_name_exists|12+13|string|
partman-auto-lvm/no_boot|12+13|boolean|
partman-auto-raid/raidnum|13|string|
partman-auto-raid/recipe|13|string|
partman-auto/automatically_partition|12+13|select|
partman-auto/cap-ram|12+13|string|
partman-auto/choose_recipe|12+13|select|
partman-auto/disk|12+13|string|
partman-auto/expert_recipe|12+13|string|
partman-auto/expert_recipe_file|12+13|string|
partman-auto/help|13|note|
partman-auto/init_automatically_partition|12+13|select|
partman-auto/method|12+13|string|
partman-auto/select_disk|12+13|select|
partman-basicfilesystems/boot_not_ext2|13|boolean|
partman-basicfilesystems/boot_not_first_partition|13|boolean|
partman-basicfilesystems/check_failed|13|boolean|
partman-basicfilesystems/choose_label|13|string|
partman-basicfilesystems/fat_mountpoint|13|select|/dos, /windows, Do not mount it, Enter manually
partman-basicfilesystems/mountoptions|13|multiselect|
partman-basicfilesystems/mountpoint|13|select|/ - the root file system, /boot - static files of the boot loader, /home - user home directories, /opt - add-on application software packages, /srv - data for services provided by this system, /tmp - temporary files (default: tmpfs), /usr - static data, /usr/local - local hierarchy, /var - variable data, Do not mount it, Enter manually
partman-basicfilesystems/mountpoint_manual|13|string|
partman-basicfilesystems/no_mount_point|13|boolean|
partman-basicfilesystems/no_swap|13|boolean|
partman-basicfilesystems/specify_reserved|13|string|
partman-basicfilesystems/specify_usage|13|select|
partman-basicfilesystems/swap_check_failed|13|boolean|
partman-basicmethods/method_only|13|boolean|
partman-cros/no_cros|13|boolean|
partman-crypto/cipher|12+13|select|
partman-crypto/confirm|12+13|boolean|
partman-crypto/confirm_nochanges|12+13|boolean|
partman-crypto/create/partitions|12+13|multiselect|
partman-crypto/crypto_root_needs_boot|13|boolean|
partman-crypto/crypto_type|12+13|select|
partman-crypto/crypto_warn_erase|12+13|boolean|
partman-crypto/entropy|12+13|entropy|
partman-crypto/install_udebs_low_mem|12+13|boolean|
partman-crypto/ivalgorithm|12+13|select|
partman-crypto/keyhash|12+13|select|
partman-crypto/keysize|12+13|select|
partman-crypto/keytype|12+13|select|
partman-crypto/mainmenu|12+13|select|create, finish
partman-crypto/nested_opal|13|select|
partman-crypto/nothing_to_setup|12+13|note|
partman-crypto/opal-admin-password|13|password|
partman-crypto/opal-admin-password-again|13|password|
partman-crypto/opal-psid|13|password|
partman-crypto/opal-psid-again|13|password|
partman-crypto/passphrase|12+13|password|
partman-crypto/passphrase-again|12+13|password|
partman-crypto/plain_warn_erase|12+13|boolean|
partman-crypto/tools_missing|12+13|note|
partman-crypto/use_random_for_nonswap|12+13|boolean|
partman-crypto/weak_passphrase|12+13|boolean|
partman-efi/no_efi|13|boolean|
partman-efi/non_efi_system|13|boolean|
partman-ext3/bad_alignment|13|boolean|
partman-ext3/boot_not_bootable|13|boolean|
partman-ext3/boot_not_ext2_or_ext3|13|boolean|
partman-iscsi/login/address|13|string|
partman-iscsi/login/all_targets|13|boolean|
partman-iscsi/login/incoming_password|13|password|
partman-iscsi/login/incoming_username|13|string|
partman-iscsi/login/password|13|password|
partman-iscsi/login/targets|13|multiselect|
partman-iscsi/login/username|13|string|
partman-iscsi/mainmenu|13|select|finish, login
partman-lvm/confirm|12+13|boolean|
partman-lvm/confirm_nochanges|12+13|boolean|
partman-lvm/device_remove_lvm|12+13|boolean|
partman-lvm/displayall|12+13|note|
partman-lvm/help|12+13|note|
partman-lvm/lvcreate_name|12+13|string|
partman-lvm/lvcreate_size|12+13|string|
partman-lvm/lvcreate_vgnames|12+13|select|
partman-lvm/lvdelete_lvnames|12+13|select|
partman-lvm/mainmenu|12+13|select|
partman-lvm/vgcreate_name|12+13|string|
partman-lvm/vgcreate_parts|12+13|multiselect|
partman-lvm/vgdelete_confirm|12+13|boolean|
partman-lvm/vgdelete_names|12+13|select|
partman-lvm/vgextend_names|12+13|select|
partman-lvm/vgextend_parts|12+13|multiselect|
partman-lvm/vgreduce_names|12+13|select|
partman-lvm/vgreduce_parts|12+13|multiselect|
partman-md/confirm|12+13|boolean|
partman-md/confirm_nochanges|12+13|boolean|
partman-md/createmain|12+13|select|RAID0, RAID1, RAID10, RAID5, RAID6
partman-md/deletemenu|12+13|select|
partman-md/deleteverify|12+13|boolean|
partman-md/device_remove_md|12+13|boolean|
partman-md/mainmenu|12+13|select|create, delete, finish
partman-md/raid0devs|12+13|multiselect|
partman-md/raid10layout|12+13|string|
partman-md/raiddevcount|12+13|string|
partman-md/raiddevs|12+13|multiselect|
partman-md/raidsparecount|12+13|string|
partman-md/raidsparedevs|12+13|multiselect|
partman-partitioning/bootable_logical|13|boolean|
partman-partitioning/choose_label|13|select|
partman-partitioning/confirm_new_label|13|boolean|
partman-partitioning/confirm_resize|13|boolean|
partman-partitioning/confirm_write_new_label|13|boolean|
partman-partitioning/default_label|13|string|
partman-partitioning/new_partition_place|13|select|Beginning, End
partman-partitioning/new_partition_size|13|string|
partman-partitioning/new_partition_type|13|select|Logical, Primary
partman-partitioning/new_size|13|string|
partman-partitioning/set_flags|13|multiselect|
partman-partitioning/set_name|13|string|
partman-partitioning/unknown_label|13|boolean|
partman-partitioning/unsupported_label|13|boolean|
partman-target/choose_method|13|select|
partman-target/help|13|note|
partman-target/mount_failed|13|boolean|
partman/active_partition|12+13|select|
partman/alignment|12+13|select|cylinder, minimal, optimal
partman/boot_not_first_partition|13|boolean|
partman/choose_partition|12+13|select|
partman/confirm|12+13|boolean|
partman/confirm_nochanges|12+13|boolean|
partman/confirm_nooverwrite|12+13|boolean|
partman/default_filesystem|12+13|string|
partman/early_command|12+13|string|
partman/exception_handler|12+13|select|
partman/exception_handler_note|12+13|note|
partman/free_space|12+13|select|
partman/mount_style|13|select|label, traditional, uuid
partman/show_free_chs|12+13|note|
partman/show_partition_chs|12+13|note|
partman/storage_device|12+13|select|
passwd/make-user|13|boolean|
passwd/root-login|13|boolean|
passwd/root-password|13|password|
passwd/root-password-again|13|password|
passwd/root-password-crypted|13|password|
passwd/user-default-groups|13|string|
passwd/user-fullname|13|string|
passwd/user-password|13|password|
passwd/user-password-again|13|password|
passwd/user-password-crypted|13|password|
passwd/user-uid|13|string|
passwd/username|13|string|
pkgsel/include|12+13|string|
pkgsel/run_tasksel|12+13|boolean|
pkgsel/update-policy|12+13|select|none, unattended-upgrades
pkgsel/updatedb|12+13|boolean|
pkgsel/upgrade|12+13|select|full-upgrade, none, safe-upgrade
preseed/boot_command|12+13|string|
preseed/early_command|12+13|string|
preseed/file|12+13|string|
preseed/file/checksum|12+13|string|
preseed/include|12+13|string|
preseed/include/checksum|12+13|string|
preseed/include_command|12+13|string|
preseed/interactive|12+13|boolean|
preseed/late_command|12+13|string|
preseed/run|12+13|string|
preseed/run/checksum|12+13|string|
preseed/url|12+13|string|
preseed/url/checksum|12+13|string|
rescue/enable|12+13|boolean|
retriever/net/error|12+13|select|Cancel, Change mirror, Retry
save-logs/directory|12+13|string|
save-logs/httpd_running|12+13|note|
save-logs/insert_floppy|12+13|note|
save-logs/menu|12+13|select|floppy, mounted file system, serve over network
save-logs/no_network|12+13|note|
systemd-boot-installer/skip|13|boolean|
systemd-boot-installer/tries|13|select|0, 1, 2, 3, 4, 5
time/zone|13|select|
"""
