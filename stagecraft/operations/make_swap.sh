# Makes a swap file of $2 MB at $1, complete or not at all.
umask 077
rm -f "$1.new"
{ fallocate -l "$2M" "$1.new" || dd if=/dev/zero of="$1.new" bs=1M count="$2"; } &&
    mkswap "$1.new" && mv "$1.new" "$1"
