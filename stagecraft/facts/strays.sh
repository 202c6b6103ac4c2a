# Prints the files that no Debian package has brought, in the places where a file alone changes what
# the machine does: type, mode, owner, ctime, path and a link's target, their fields apart by tabs.
as='%y\t%m\t%u:%g\t%C@\t%p\t%l\n'
{
    cat /var/lib/dpkg/info/*.list
    # A package's files that somebody has diverted, its configuration that ucf looks after, and the
    # links that it made when it enabled its units.
    sed -n '2~3p' /var/lib/dpkg/diversions
    sed 's/^[^/]*//' /var/lib/ucf/registry
    find /var/lib/systemd/deb-systemd-helper-enabled -type f -printf '/etc/systemd/system/%P\n'
    find /var/lib/systemd/deb-systemd-user-helper-enabled -type f -printf '/etc/systemd/user/%P\n'
    echo ==
    find /etc /usr/local/bin /usr/local/sbin /usr/local/lib/systemd /usr/lib/systemd /usr/bin \
        /usr/sbin /usr/share/keyrings -regextype posix-extended \
        -regex '/etc/(ssl/certs|alternatives|rc[0-6S]\.d)' -prune -o \
        ! -type d ! -lname '/etc/alternatives/*' -printf "$as"
    find /var/spool/cron /var/lib/systemd/linger /run/systemd/transient /run/systemd/system \
        /root/.config/systemd/user /home/*/.config/systemd/user ! -type d -printf "$as"
    find /var/www /opt /etc/letsencrypt/live -mindepth 1 -maxdepth 1 -type d -printf "$as"
    find /var/lib/stagecraft -maxdepth 2 ! -type d -printf "$as"
    find /home /root /opt /tmp /var/tmp /dev/shm /usr/local -xdev -maxdepth 6 -type f \
        -perm /6000 -printf "$as"
} 2>/dev/null | awk -F '\t' '
    $0 == "==" { listed = 1; next }
    listed { if (!($5 in owned)) print; next }
    { owned[$0]; owned["/usr" $0] }'
