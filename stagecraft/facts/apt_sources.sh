# Prints the origin of each archive whose list apt has, then the lines of source files; tab-separated.
# Does not ask apt, which would rewrite its cache.
cd /var/lib/apt/lists && for file in *Release; do
    [ ! -f "$file" ] || sed -n "s|^Origin: *|origin\t${file%_*Release}\t|p; T; q" "$file"
done
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
    [ ! -f "$file" ] || sed "s|^|line\t$file\t|" "$file"
done
true
