# For each line of $backups (a maximum age in minutes, a tab and a path), prints the time of the newest
# file at or below the path, a space and the path; nothing if there is no file. Takes the earlier of mtime
# and ctime, because mtime can be set to the future.
written() { find -L "$path" -type f -size +0 "$@" 2>/dev/null | awk '{ print ($1 < $2 ? $1 : $2) }'; }
printf '%s\n' "$backups" | while IFS="$(printf '\t')" read -r minutes path; do
    # Once a file that is new enough is found, the search in a directory ends.
    moment=$(written -mmin "-$minutes" -cmin "-$minutes" -printf '%T@ %C@\n' -quit)
    [ -n "$moment" ] || moment=$(written -printf '%T@ %C@\n' | sort -n | tail -n 1)
    [ -z "$moment" ] || printf '%s %s\n' "$moment" "$path"
done
true
