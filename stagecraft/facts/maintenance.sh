# Prints what is in $directory, which has something for each site that is closed to visitors, unless that
# site's action is going on: name, `closed` or not, and ctime, NUL-terminated, as base64.
cd "$directory" 2>/dev/null || exit 0
find . -mindepth 1 -maxdepth 1 -exec sh -c '
    case $(systemctl show --property=ActiveState --value "stagecraft-action-${1#./}.service") in
        inactive | failed) test -e "$1" ;;
        *) false ;;
    esac' sh {} \; -printf '%P\0' \( -exec test -e {}/closed \; -printf 'closed\0' -o -printf '\0' \) \
    -printf '%C@\0' | base64 --wrap=0
