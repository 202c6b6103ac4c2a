# `is_file` says whether $path is a file of at most $longest bytes, and `text` then prints its contents.
# They follow no links, which could lead to a secret: `is_file` enters the directory, then compares where
# it is. Only the last component can be replaced after that; dd follows no link and waits for no pipe.
is_file() {
    cd -P -- "${path%/*}/" && [ "$(pwd -P)" = "${path%/*}" ] && name=./${path##*/} &&
        [ -f "$name" ] && [ ! -L "$name" ] && [ "$(stat -c %s -- "$name")" -le "$longest" ]
} 2>/dev/null
text() {
    dd if="$name" iflag=nofollow,nonblock,fullblock bs="$longest" count=1 status=none 2>/dev/null
}
# Prints the checksum of each line, and its key: up to one of $ends, of at most $longest_key $characters.
fingerprints() {
    echo "== $path"
    text | grep -v -e '^#' -e '^$' | while IFS= read -r line; do
        key=${line%%["$ends"]*}
        case $key in "$line" | *[!$characters]*) key= ;; esac
        [ ${#key} -le "$longest_key" ] || key=
        sum=$(printf %s "$line" | sha256sum)
        echo "${sum%% *} $key"
    done
}
