# Generates the locale $1. locale-gen would ignore one that Debian does not have without an error.
if [ ! -e "/usr/share/i18n/locales/${1%%.*}" ]; then
    echo "Debian has no locale $1; it has: /usr/share/i18n/locales" >&2
    exit 1
fi
grep -qxF "$1 UTF-8" /etc/locale.gen || echo "$1 UTF-8" >>/etc/locale.gen
timeout 120 locale-gen || {
    echo "locale-gen failed, or waited 2 minutes for a lock. Who holds it, says:" \
        "fuser -v /usr/lib/locale/locale-archive" >&2
    exit 1
}
