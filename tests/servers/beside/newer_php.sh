# An archive with a newer version of PHP and of all extensions that Stagecraft installs. Its packages
# are empty: apt shall plan with them, nobody installs them.
set -eu
mkdir -p /srv/newer && cd /srv/newer
php=php$(ls /etc/php)
for package in $(dpkg-query -W -f='${source:Package} ${Package}\n' | sed -n "s/^$php //p") \
    $php-mbstring $php-xml $php-intl $php-gd $php-curl $php-zip $php-bcmath; do
    mkdir -p content/DEBIAN
    record=$(apt-cache show --no-all-versions "$package")
    version=$(echo "$record" | sed -n 's/^Version: //p')
    {
        echo "$record" | grep -E '^(Package|Architecture|Maintainer|Depends|Provides):' |
            sed "s/(= $version)/(= 99)/g"
        echo 'Version: 99'
        echo 'Description: a newer one'
    } >content/DEBIAN/control
    dpkg-deb --build content "$package.deb" >/dev/null
done
for deb in *.deb; do
    dpkg-deb --field "$deb"
    printf 'Filename: ./%s\nSize: %s\n' "$deb" "$(stat -c %s "$deb")"
    printf 'SHA256: %s\n\n' "$(sha256sum "$deb" | cut -d ' ' -f 1)"
done >Packages
echo 'deb [trusted=yes] file:/srv/newer ./' >/etc/apt/sources.list.d/newer.list
apt-get update -q -o Dir::Etc::sourcelist=/etc/apt/sources.list.d/newer.list \
    -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0 >/dev/null
