# Prints the state of $unit, and the newest changes at or below $unit_files and at or below $watched, which
# are quoted words, as `unit-file` or `watched`, seconds since the epoch and path. With $unit_files, also
# prints when systemd last read them. ctime, because a rename keeps mtime.
show() { systemctl show --timestamp=us+utc "$@" 2>/dev/null; }
newest() {
    kind=$1
    shift
    [ $# = 0 ] || find -H "$@" -printf "$kind %C@ %p\n" 2>/dev/null | sort -k2 -n | tail -n 1
}
[ -z "$unit_files" ] || show --property=UnitsLoadFinishTimestamp,UnitsLoadTimestamp
show --property=LoadState,ActiveState,UnitFileState,ReloadResult,ActiveEnterTimestamp \
    --property=StateChangeTimestamp,ConditionResult,ConditionTimestamp -- "$unit"
eval "newest unit-file $unit_files"
eval "newest watched $watched"
true
