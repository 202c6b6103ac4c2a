# Prints `changed` or `missing` and the path of each file that is not as its package has brought it.
export LC_ALL=C
cd / || exit

differing() {
    md5sum --check --quiet 2>/dev/null |
        sed -n 's/^\(.*\): FAILED open or read$/missing\t\1/p; t; s/^\(.*\): FAILED$/changed\t\1/p'
}

# Configuration: dpkg's conffiles, and what ucf looks after.
{
    awk '/^Conffiles:/ { listed = 1; next }
         /^[^ ]/ { listed = 0 }
         listed && NF == 2 && $2 != "newconffile" { print $2 "  " $1 }' /var/lib/dpkg/status
    cat /var/lib/ucf/hashfile
} 2>/dev/null | differing

# All else, as `dpkg --verify`, which reads every file and takes more than a second for that. Here
# only those are read whose inode has changed since dpkg wrote down what is in the package (ctime,
# which nobody sets back without setting the clock). After a copy of the disk that is all of them.
{
    find var/lib/dpkg/info -name '*.list' -printf 'package\t%C@\t%f\n'
    sed -n '1~3s/^/diverted\t/p' var/lib/dpkg/diversions
    find usr boot -path usr/local -prune -o ! -type d -printf 'file\t%C@\t%p\n'
    grep -H . var/lib/dpkg/info/*.md5sums
} 2>/dev/null | awk -F '\t' '
    function real(path) {
        return path ~ /^(bin|sbin|lib|lib32|lib64|libx32)\// ? "usr/" path : path
    }
    $1 == "package" { sub(/\.list$/, "", $3); unpacked[$3] = $2; next }
    $1 == "diverted" { diverted[substr($2, 2)]; next }
    $1 == "file" { changed[$3] = $2; next }
    {
        package = substr($0, 1, index($0, ".md5sums:") - 1)
        sub(/.*\//, "", package)
        sum = substr($0, index($0, ".md5sums:") + 9)
        path = real(substr(sum, 35))
        if (path in diverted || path !~ /^(usr|boot)\//) next
        if (!(path in changed) || changed[path] + 0 > unpacked[package] + 0)
            print substr(sum, 1, 32) "  /" path
    }' | differing
true
