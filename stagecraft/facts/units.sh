# Prints what is odd about units: which have failed, what files changed since systemd last read them
# all, and what was put into /run to change them until the next boot; words apart by tabs.
moments=$(systemctl show --timestamp=us+utc --property=UnitsLoadFinishTimestamp,UnitsLoadTimestamp) || exit
echo "$moments" | sed 's/^/read\t/; s/=/\t/'
read=$(systemctl show --timestamp=unix --property=UnitsLoadTimestamp --value 2>/dev/null)
failed=$(systemctl list-units --state=failed --plain --no-legend 2>/dev/null | cut -d ' ' -f 1)
[ -z "$failed" ] ||
    systemctl show --timestamp=us+utc --property=Id,Result,StateChangeTimestamp -- $failed |
    sed 's/^/failed\t/; s/=/\t/'
find /etc/systemd/system /usr/local/lib/systemd/system /usr/lib/systemd/system \
    ! -type d -newerct "${read:-@0}" -printf 'changed\t%C@\t%p\n' 2>/dev/null
find /run/systemd/system /run/systemd/system.control \
    \( -name '*.conf' -o -lname /dev/null \) -printf 'until-boot\t%C@\t%p\n' 2>/dev/null
true
