# Prints the state of security updates; tab-separated. Avoids apt, which would take a second and write
# its cache.
lists=/var/lib/apt/lists
moment() { # prints the earlier of mtime and ctime, which nobody can set after the last change
    stat -c '%Y %Z' "$2" 2>/dev/null | awk -v kind="$1" -v OFS='\t' '{ print kind, $1 < $2 ? $1 : $2 }'
}
for path in $lists/partial /var/lib/apt/periodic/update-stamp; do moment lists $path; done
moment upgraded /var/lib/apt/periodic/unattended-upgrades-stamp
find $lists -maxdepth 1 -name '*security*_Packages*' -printf 'fetched\t%C@\n' 2>/dev/null
moment declared /etc/apt/apt.conf.d/52stagecraft
moment reboot /run/reboot-required
sort -u /run/reboot-required.pkgs 2>/dev/null | sed 's/^/reboot-for\t/'

{
    dpkg-query -W -f '${db:Status-Status} ${Package}:${Architecture} ${Version}\n'
    for file in $lists/*security*_Packages*; do
        [ ! -f "$file" ] || /usr/lib/apt/apt-helper cat-file "$file"
    done | grep -E '^(Package|Architecture|Version): '
} 2>/dev/null | awk '
    $1 == "installed" { installed[$2] = $3; next }
    { field[$1] = $2 }
    $1 == "Package:" { field["Version:"] = field["Architecture:"] = "" }
    field["Version:"] == "" || field["Architecture:"] == "" { next }
    {
        name = field["Package:"] ":" field["Architecture:"]
        if (name in installed && installed[name] != field["Version:"])
            print field["Package:"], installed[name], field["Version:"]
    }' | while read -r package installed candidate; do
    ! dpkg --compare-versions "$candidate" gt "$installed" || printf 'waiting\t%s\n' "$package"
done
true
