# Calls $1 with each release below the working directory; a link to a directory is none.
each_release() {
    for release in ./* ./.[!.]* ./..?*; do
        [ -L "$release" ] || [ ! -d "$release" ] || "$1" "$release"
    done
}
# Prints the links that nginx would follow out of the releases, or of one of them, a NUL after each.
leading_out() {
    for link in ../current ./* ./.[!.]* ./..?*; do
        [ ! -L "$link" ] || printf '%s\0' "$link"
    done | out_of .
    each_release leading_out_of
}
leading_out_of() { find "$1/public" -type l -print0 2>/dev/null | out_of "$1"; }
# Passes on those of the links that leave the directory $1 on any step of their way: what they lead to
# by way of the site's storage, the site exchanges later.
#
# Locations of their own serve what is at public/storage and at the directories of public/ in $shared,
# whose names stand between spaces; they look at no link there. By another path, nginx would follow the
# links at these places, so that nothing may lead to what is above them.
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
