# Prints the files of no Debian package, and such directories that others than root own or can write to, wherever
# the machine reads code or configuration: type, mode, owner, ctime, size, path, link target, and the first
# directory on its path that no package has. After these rows, the SHA-256 of each small file: `sum`, four empty
# fields, path, sum and an empty field. NUL-terminated, as base64.
# Of data only setuid programs, keys and libraries. $apps is the sites' parent.
as='%y\0%m\0%u:%g\0%C@\0%s\0%p\0%l\0'
# What is read as data, or by facts of its own, and the documentation that minimal images lack.
data='tmp|lost\+found|swapfile|media|mnt|dev/shm|usr/share/(doc|man|locale|info)|etc/ssl/certs|etc/rc[0-6S]\.d'
data="$data|var/(tmp|cache|log|backups|mail|spool/mail|lib/(apt|dpkg|ucf|mysql)|lib/(redis|stagecraft)[^/]*)"
data="$data|var/lib/(docker|containerd|fail2ban|private|systemd/timers|logrotate)"
# Collections of files in a directory of one's own are one thing.
data="/($data|(home/[^/]+|root)/[^.][^/]*|(${apps#/}|opt|srv)/[^/]+)"
# The machine's other file systems, where /var or /home may be.
others=$(findmnt -rnuo TARGET -t ext2,ext3,ext4,xfs,btrfs,f2fs,zfs,vfat | grep -vE '^/(run/.*)?$')

# Packages' originals that their scripts copy or enable, changed by nobody: prints the copies.
copied() {
    # A pipe would be waited for.
    find /usr/share/base-files/* /etc/skel/.[!.]* /usr/share/readline/inputrc \
        /etc/profile /etc/motd /etc/inputrc /root/.[!.]* /home/*/.[!.]* -maxdepth 0 -type f \
        -exec timeout 5 md5sum {} + 2>/dev/null | awk '
        $2 ~ /^\/usr|^\/etc\/skel/ { original[$1] }
        $1 in original { print substr($0, 35) }'
}
# Files in which nothing but comments is left, as packages create them.
without_words() {
    for path in /etc/environment /etc/hosts.allow /etc/hosts.deny /etc/security/opasswd; do
        [ ! -f "$path" ] || grep -qvE '^[[:space:]]*(#|$)' "$path" || echo "$path"
    done
}
# PAM's common files, in which pam-auth-update writes the lines of packages' profiles.
by_profiles() {
    for path in /usr/share/pam/common-* /usr/share/pam-configs/* /etc/pam.d/common-*; do
        sed -E "s/^#.*//; s/^[a-z]+[[:space:]]+//; s/success=(end|[0-9]+)/success/; s/[[:space:]]+/ /g; s/^ | \$//g" \
            "$path" | sed "s|^|$path\t|"
    done | awk -F '\t' '
        # What pam-auth-update writes where no profile is the first.
        BEGIN { known["[default=1] pam_permit.so"] }
        $1 !~ /^\/etc/ { known[$2]; next }
        { common[$1] }
        !($2 in known) { odd[$1] }
        END { for (path in common) if (!(path in odd)) print path }'
}

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
        copied
        without_words
        by_profiles
    } | tr '\n' '\0'
    # Links that packages create when they enable units, and links of alternatives.
    printf '= links\0'
    find /var/lib/systemd/deb-systemd-helper-enabled -type f -printf '/etc/systemd/system/%P\0'
    find /var/lib/systemd/deb-systemd-user-helper-enabled -type f -printf '/etc/systemd/user/%P\0'
    for path in /var/lib/dpkg/alternatives/*; do printf '/etc/alternatives/%s\0' "${path##*/}"; done
    sed -sn '3,/^$/{/^\//!{/./p}}' /var/lib/dpkg/alternatives/* |
        sed 's|^|/etc/alternatives/|' | tr '\n' '\0'
    printf '= found\0'
    find / $others /run/systemd/system /run/systemd/transient /run/systemd/system.attached -xdev \
        -regextype posix-extended -regex "$data" -prune -o \
        ! -type s \( ! -type d -o -perm /022 -o ! -user root \) -printf "$as"
    find $apps /opt /srv /etc/letsencrypt/live -mindepth 1 -maxdepth 1 -printf "$as"
    find $apps -mindepth 2 -maxdepth 2 -printf "$as"
    find $apps -mindepth 3 -maxdepth 3 -path '*/shared/*' -printf "$as"
    find /var/lib/stagecraft -maxdepth 2 ! -type d -printf "$as"
    find /var/lib/stagecraft/acme -type f -printf "$as"
    find /var/lib/stagecraft/self-signed -name privkey.pem -perm /077 -printf "$as"
    find /tmp /var/tmp /dev/shm -xdev -type f -perm /111 -printf "$as"
    find / $others /dev/shm -xdev -type f \
        \( -perm /6000 -o -path '*/.ssh/*' -o -path '/var/lib/*' -name '*.so' \) -printf "$as"
    printf '= end\0'
} 2>/dev/null

# Fails unless it has seen everything.
leave_out_packaged() {
    awk -v RS='\0' -v others="$others" '
        function packaged(path) { return path in owned || "/usr" path in owned }
        # base-files makes those of /usr/local by a script.
        function stays(path) {
            return path in mounted || path ~ /^\/(usr\/local(\/[^\/]*)?|home\/[^\/]*)$/ || packaged(path)
        }
        function top_of(path,    top) {
            while (sub(/\/[^\/]*$/, "", path) && path != "" && !stays(path)) top = path
            return top
        }
        BEGIN { for (n = split(others, paths, "\n"); n > 0; n--) mounted[paths[n]] }
        $0 == "= links" { linked = NR; next }
        !listed && $0 == "= found" { listed = NR; next }
        !linked { owned[$0]; owned["/usr" $0]; next }
        !listed { links[$0]; next }
        (NR - listed) % 7 == 1 && $0 == "= end" { ended = NR - listed > 1; next }
        { field[(NR - listed - 1) % 7] = $0 }
        (NR - listed) % 7 || field[5] in owned { next }
        field[5] in links && field[0] == "l" && packaged(field[6]) { next }
        # Compiled from a packaged file.
        match(field[5], /\/__pycache__\/[^\/.]+\.[^\/]+\.pyc$/) {
            source = substr(field[5], RSTART + 13)
            sub(/\..*/, ".py", source)
            if (packaged(substr(field[5], 1, RSTART) source)) next
        }
        # A site can create thousands of such files, so only the first ones of each owner are printed.
        length(field[1]) == 4 || field[5] ~ /^\/(tmp|var\/tmp|dev\/shm)\// {
            if (++of_owner[field[2]] > 20) next
        }
        {
            for (n = 0; n < 7; n++) printf "%s%c", field[n], 0
            printf "%s%c", top_of(field[5]), 0
        }
        END { exit !ended }'
}

# Of the files among these rows with at most a megabyte; whoever owns one could put a pipe in its place.
sums_of() {
    awk -v RS='\0' -v ORS='\0' '
        { field[(NR - 1) % 8] = $0 }
        NR % 8 == 0 && field[0] == "f" && field[4] <= 1048576 { print field[5] }' |
        timeout 10 xargs -0 -r sha256sum -z -- 2>/dev/null |
        awk -v RS='\0' '{ printf "sum%c%c%c%c%c%s%c%s%c%c", 0, 0, 0, 0, 0, substr($0, 67), 0, substr($0, 1, 64), 0, 0 }'
}

rows=$(
    {
        # The status of a pipeline is that of base64, so the one that counts is passed around it.
        status=$({ { packaged_and_found | leave_out_packaged; echo $? >&3; } | base64 --wrap=0 >&4; } 3>&1)
    } 4>&1
    [ "$status" = 0 ]
) || { echo 'unpackaged.sh failed on the server before it had seen all files' >&2; exit 1; }
{ printf '%s' "$rows" | base64 -d; printf '%s' "$rows" | base64 -d | sums_of; } | base64 --wrap=0
