# Prints anomalies of units: failed ones, running ones without a file, files changed since systemd last
# read them all, overrides in /run until the next boot, and variables that systemd passes to everything;
# tab-separated. Leaves out names that could pass for other words; unpackaged.sh reports those.
tab=$(printf '\t')
moments=$(systemctl show --timestamp=us+utc --property=UnitsLoadFinishTimestamp,UnitsLoadTimestamp) || exit
printf '%s\n' "$moments" | sed 's/^/read\t/; s/=/\t/'
read=$(systemctl show --timestamp=unix --property=UnitsLoadTimestamp --value 2>/dev/null)
failed=$(systemctl list-units --state=failed --plain --no-legend 2>/dev/null | cut -d ' ' -f 1)
[ -z "$failed" ] ||
    systemctl show --timestamp=us+utc --property=Id,Result,StateChangeTimestamp,FragmentPath -- $failed |
    while IFS='=' read -r key value; do
        [ "$key" != FragmentPath ] || [ -e "$value" ] || value=
        printf 'failed\t%s\n' "${key:+$key$tab$value}"
    done
systemctl show --property=Id,LoadState,ActiveState,FragmentPath,DropInPaths \
    '*.service' '*.timer' '*.socket' '*.path' | awk -v RS= -F '\n' '
    {
        split("", value)
        for (n = 1; n <= NF; n++) value[substr($n, 1, index($n, "=") - 1)] = substr($n, index($n, "=") + 1)
        if (value["ActiveState"] !~ /^(inactive|failed)$/)
            print value["Id"], value["LoadState"] == "not-found" ? "-" : value["FragmentPath"],
                value["DropInPaths"]
    }' | while read -r unit paths; do
    for path in $paths; do
        [ -e "$path" ] || printf 'gone\t%s\t%s\n' "$unit" "$path"
    done
done
systemctl show-environment | grep -vE '^((LANG|LANGUAGE|LC_[A-Z]+)=|PATH=((/usr(/local)?)?/s?bin:?)+$)' |
    sed -nE 's/^([A-Za-z_][A-Za-z0-9_]*)=.*/environment\t\1/p'
find /etc/systemd/system /usr/local/lib/systemd/system /usr/lib/systemd/system \
    ! -type d ! -path '*[[:cntrl:]]*' -newerct "${read:-@0}" -printf 'changed\t%C@\t%p\n' 2>/dev/null
find /run/systemd/system /run/systemd/system.control ! -type d \
    \( -name '*.conf' -o -lname /dev/null -o -path '*/system.control/*' \) \
    ! -path '*[[:cntrl:]]*' -printf 'until-boot\t%C@\t%p\n' 2>/dev/null
true
