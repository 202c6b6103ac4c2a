# Calls $1 with each release below the working directory; skips links to directories.
each_release() {
    for release in ./* ./.[!.]* ./..?*; do
        [ -L "$release" ] || [ ! -d "$release" ] || "$1" "$release"
    done
}
# Prints the links by which nginx would leave the releases or one of them, a NUL after each.
leading_out() {
    for link in ../current ./* ./.[!.]* ./..?*; do
        [ ! -L "$link" ] || printf '%s\0' "$link"
    done | out_of .
    each_release leading_out_of
}
leading_out_of() { find "$1/public" -type l -print0 2>/dev/null | out_of "$1"; }
# Passes on the links that leave the directory $1 at any step: the site can later replace whatever
# they reach by way of its storage.
#
# nginx serves public/storage, and the directories of public/ in $shared (a space on either side of
# each name), by locations of their own that do not check links. By other paths nginx follows the
# links at these places, so nothing may lead to their parents.
out_of() {
    xargs -0 -r sh -c '
        directory=$1 places="storage public/storage"
        for name in $2; do places="$places public/$name"; done
        shift 2
        root=$(realpath -- "$directory")
        leaves() {
            at=$(realpath -- "${1%/*}" && echo /) way=$(readlink -n -- "$1" && echo /) links=40
            at=${at%?/}
            case $way in /*) at= ;; esac
            while [ -n "$way" ]; do
                step=${way%%/*} way=${way#*/}
                case $step in
                    "" | .) continue ;;
                    ..) at=${at%/*} ;;
                    *) at=$at/$step ;;
                esac
                case $root/ in "$at"/*) continue ;; esac
                case $at in "$root"/*) ;; *) return 0 ;; esac
                [ -L "$at" ] || continue
                [ $((links -= 1)) != 0 ] || return 0
                way=$(readlink -n -- "$at" && echo /)$way
                case $way in /*) at= ;; *) at=${at%/*} ;; esac
            done
            case $at/ in "$root"/*) ;; *) return 0 ;; esac
            for place in $places; do
                case $root/$place in "$at"/*) [ ! -L "$root/$place" ] || return 0 ;; esac
            done
            return 1
        }
        for link; do
            for place in $places; do
                [ "$link" != "$directory/$place" ] || continue 2
            done
            ! leaves "$link" || printf "%s\0" "$link"
        done' sh "$1" "$shared"
}
