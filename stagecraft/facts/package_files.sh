# Prints each file that differs from its package: `changed`, `missing` or `directory` (in its place), its
# path, for files managed by ucf the packaged original, and its package; tab-separated.
export LC_ALL=C
cd / || exit
odd='*[[:cntrl:]]*' # such names could pass for other lines; no package has them

differing() {
    md5sum --check --quiet 2>/dev/null |
        sed -n 's/^\(.*\): FAILED open or read$/missing\t\1/p; t; s/^\(.*\): FAILED$/changed\t\1/p'
}

copied_from() { # prints the packaged original of a file that ucf copied to $1
    sum=$(awk -v path="$1" '$2 == path { print $1; exit }' /var/lib/ucf/hashfile 2>/dev/null)
    [ -z "$sum" ] || sed -n "s|^$sum  |/|p" var/lib/dpkg/info/*.md5sums | head -n 1
}

# Configuration: dpkg's conffiles, and files managed by ucf.
configuration() {
    awk '/^Conffiles:/ { listed = 1; next }
         /^[^ ]/ { listed = 0 }
         listed && NF == 2 && $2 != "newconffile" { print $2 "  " $1 }' /var/lib/dpkg/status
    cat /var/lib/ucf/hashfile
}

# Everything else, like `dpkg --verify`, which takes over a second because it reads every file. This only
# reads files with an inode changed since dpkg recorded the package's contents (ctime, which cannot be
# set back without setting the clock). After a copy of the disk, that is all files.
all_else() {
    {
        find var/lib/dpkg/info -name '*.list' ! -name "$odd" -printf 'package\t%C@\t%f\n'
        sed -n '1~3s/^/diverted\t/p' var/lib/dpkg/diversions
        find usr boot \( -path usr/local -o -name "$odd" \) -prune -o \
            ! -type d -printf 'file\t%C@\t%p\n'
        find var/lib/dpkg/info -name '*.md5sums' ! -name "$odd" -exec grep -H . {} +
    } | awk -F '\t' '
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
        }'
}

with_package() { # reads all records of packages once, if there is anything to say
    rows=$(cat)
    [ -z "$rows" ] || printf '%s\n' "$rows" | awk -F '\t' '
        function real(path) {
            return path ~ /^\/(bin|sbin|lib|lib32|lib64|libx32)\// ? "/usr" path : path
        }
        NR == FNR { row[$2] = $0; next }
        FNR == 1 { package = FILENAME; sub(/.*\//, "", package); sub(/\.list$/, "", package) }
        real($0) in row { of[real($0)] = package }
        END { for (path in row) print row[path] "\t" of[path] }' - var/lib/dpkg/info/*.list | sort
}

{ configuration; all_else; } 2>/dev/null | differing | while IFS="$(printf '\t')" read -r state path; do
    [ ! -d "$path" ] || state=directory
    origin=
    case $path in /etc/*) origin=$(copied_from "$path") ;; esac
    printf '%s\t%s\t%s\n' "$state" "$path" "$origin"
done | with_package
true
