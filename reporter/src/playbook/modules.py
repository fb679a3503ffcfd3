"""Properties of modules, by the last part of their names."""

from __future__ import annotations

# The kinds of objects that modules manage, other than files; the argument `name` of the module names the object.
KINDS = {
    "alternatives": "alternative",
    "at": "at job",
    "cron": "cron job",
    "group": "group",
    "hostname": "hostname",
    "locale_gen": "locale",
    "modprobe": "kernel module",
    "mount": "mount",
    "seboolean": "SELinux boolean",
    "timezone": "timezone",
    "user": "user",
    **dict.fromkeys("openrc runit service systemd systemd_service sysvinit".split(), "service"),
    **dict.fromkeys("snap flatpak gem npm pip pipx".split(), "package"),
    **dict.fromkeys(
        "apk apt apt_rpm dnf dnf5 homebrew opkg package pacman pkgng portage swupd yum yum4 zypper".split(), "package"
    ),
}
# Modules that act or ask rather than describe how something should be.
IMPERATIVE = frozenset(
    """
    async_status command expect fetch find getent pause ping raw reboot script shell slurp stat tempfile uri wait_for
    wait_for_connection win_command win_shell
    """.split()
)
# Modules that look at nothing that Git could tell.
IDLE = frozenset("add_host assert debug gather_facts group_by include_vars meta pause set_fact set_stats setup".split())
# Modules whose changes are none of the server's.
NEVER_CHANGE = frozenset("add_host group_by fetch".split())
# Imperative modules that write a file.
WRITERS = frozenset("tempfile uri".split())
# Modules that are not about a file, whatever paths their results have.
NO_FILES = (
    KINDS.keys()
    | IDLE
    | (IMPERATIVE - WRITERS)
    | frozenset(
        """
        debconf dpkg_selections fail filesystem firewalld import_role import_tasks include include_role include_tasks
        iptables lvg lvol package_facts parted rhsm_release rpm_key selinux_permissive service_facts ufw
        validate_argument_spec
        """.split()
    )
)
