# Prints which of $names are installed, and what apt would do for the others; tab-separated. Keeps apt
# from writing its cache.
installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' $names 2>/dev/null | sed -n 's/^installed //p')
for name in $installed; do printf 'installed\t%s\n' "$name"; done
missing=$(printf '%s\n' $names | grep -vxF -e "${installed:-none}") || exit 0

find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -newerct '1 day ago' -printf 'fresh\n' -quit 2>/dev/null
simulated() { # with the options of install_packages.sh
    apt-get install -q -y --simulate --no-install-recommends --no-remove \
        -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= "$@" -- $missing 2>&1
}
said=$(simulated) || { resolved=$(simulated --solver=3.0 --no-strict-pinning) && said=$resolved; }
printf '%s\n' "$said" | sed -nE "s/^Inst (\S+) (\[(\S+)\] )?\((\S+) .*/change\t\1\t\3\t\4/p; /Couldn't find any/d; s/^E: /problem\t/p"
