# Prints `edited` or `missing` and the path of each configuration file that is not as a package has
# brought it: dpkg's conffiles, and what ucf looks after.
{
    awk '/^Conffiles:/ { listed = 1; next }
         /^[^ ]/ { listed = 0 }
         listed && NF == 2 && $2 != "newconffile" { print $2 "  " $1 }' /var/lib/dpkg/status
    cat /var/lib/ucf/hashfile
} 2>/dev/null | LC_ALL=C md5sum --check --quiet 2>/dev/null |
    sed -n 's/^\(.*\): FAILED open or read$/missing\t\1/p; t; s/^\(.*\): FAILED$/edited\t\1/p'
true
