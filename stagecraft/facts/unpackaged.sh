# Prints the files of no Debian package, in places where a file alone changes the machine's behaviour:
# type, mode, owner, ctime, path and link target, NUL-terminated, as base64. $apps is the sites' parent.
as='%y\0%m\0%u:%g\0%C@\0%p\0%l\0'

packaged_and_found() {
    {
        cat /var/lib/dpkg/info/*.list
        # Diverted files of packages, their links to alternatives, and configuration that ucf lists
        # with the checksum of a packaged file.
        sed -n '2~3p' /var/lib/dpkg/diversions
        sed -s '/^$/,$d; /^\//!d' /var/lib/dpkg/alternatives/*
        cat /var/lib/dpkg/info/*.md5sums /var/lib/ucf/hashfile | awk '
            !/  \// { packaged[$1]; next }
            $1 in packaged { print substr($0, 35) }'
    } | tr '\n' '\0'
    # Links that packages create when they enable units, and links of alternatives.
    printf '= links\0'
    find /var/lib/systemd/deb-systemd-helper-enabled -type f -printf '/etc/systemd/system/%P\0'
    find /var/lib/systemd/deb-systemd-user-helper-enabled -type f -printf '/etc/systemd/user/%P\0'
    for path in /var/lib/dpkg/alternatives/*; do printf '/etc/alternatives/%s\0' "${path##*/}"; done
    sed -sn '3,/^$/{/^\//!{/./p}}' /var/lib/dpkg/alternatives/* |
        sed 's|^|/etc/alternatives/|' | tr '\n' '\0'
    printf '= found\0'
    find /etc /usr/local/bin /usr/local/sbin /usr/local/lib/systemd /usr/lib/systemd /usr/bin \
        /usr/sbin /usr/share/keyrings /usr/share/nginx/modules-available -regextype posix-extended \
        -regex '/etc/(ssl/certs|rc[0-6S]\.d)' -prune -o ! -type d -printf "$as"
    find /var/spool/cron /var/lib/systemd/linger /run/systemd/transient /run/systemd/system \
        /run/systemd/system.attached /usr/share/systemd/user /usr/local/share/systemd/user \
        /root/.config/systemd /root/.local/share/systemd \
        /home/*/.config/systemd /home/*/.local/share/systemd ! -type d -printf "$as"
    find $apps /opt /etc/letsencrypt/live -mindepth 1 -maxdepth 1 -type d -printf "$as"
    find /var/lib/stagecraft -maxdepth 2 ! -type d -printf "$as"
    find /home /root /opt /tmp /var/tmp /dev/shm /usr/local -xdev -maxdepth 6 -type f \
        -perm /6000 -printf "$as"
    printf '= end\0'
} 2>/dev/null

# Fails unless it has seen everything.
leave_out_packaged() {
    awk -v RS='\0' '
        function packaged(path) { return path in owned || "/usr" path in owned }
        $0 == "= links" { linked = NR; next }
        !listed && $0 == "= found" { listed = NR; next }
        !linked { owned[$0]; owned["/usr" $0]; next }
        !listed { links[$0]; next }
        (NR - listed) % 6 == 1 && $0 == "= end" { ended = NR - listed > 1; next }
        { field[(NR - listed - 1) % 6] = $0 }
        (NR - listed) % 6 || field[4] in owned { next }
        field[4] in links && field[0] == "l" && packaged(field[5]) { next }
        # A site can create thousands of setuid files, so only the first ones of each owner are printed.
        length(field[1]) == 4 && ++of_owner[field[2]] > 20 { next }
        {
            for (n = 0; n < 6; n++) printf "%s%c", field[n], 0
        }
        END { exit !ended }'
}

# The status of a pipeline is that of base64, so the one that counts is passed around it.
{
    status=$({ { packaged_and_found | leave_out_packaged; echo $? >&3; } | base64 --wrap=0 >&4; } 3>&1)
} 4>&1
[ "$status" = 0 ] || { echo 'unpackaged.sh failed on the server before it had seen all files' >&2; exit 1; }
