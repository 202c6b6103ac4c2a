# Prints the running settings of the Redis instance of each site in $sites, then its files, given as
# `paths`; tab-separated. Replaces password hashes by numbers, equal hashes by equal numbers.
ask() {
    printf 'AUTH stagecraft -\n%s\n' "$1" | redis-cli -s "$socket" 2>/dev/null
}

for site in $sites; do
    paths
    [ -S "$socket" ] && [ -f "$configuration" ] || continue
    {
        sed 's/^/file-user /' "$acl"
        sed '/^#/d; /^$/d; s/^/file-setting /' "$configuration"
        sed 's/ /\n/g' "$acl" | sed -n 's/^[-+]@//p' | sort -u |
            while read -r category; do
                ask "ACL CAT $category" | sed "1d; s/^/category $category /"
            done
        ask "$(printf 'CONFIG GET *\nACL LIST')"
    } | awk -v OFS='\t' -v site="$site" '
        function numbered(line,  words, count, i, result) {
            count = split(line, words, " ")
            for (i = 1; i <= count; i++) {
                if (words[i] ~ /^#/) words[i] = "#" ((words[i] in known) ? known[words[i]] : known[words[i]] = ++hashes)
                result = result (i > 1 ? " " : "") words[i]
            }
            return result
        }
        sub(/^file-user /, "") { print "file-user", site, numbered($0); next }
        sub(/^file-setting /, "") { key = $1; sub(/^[^ ]+ */, ""); print "file-setting", site, key, $0; next }
        sub(/^category /, "") { print "category", site, $1, $2; next }
        !answers++ { print ($0 == "OK" ? "answers" : "refuses"), site; next }
        name == "" && sub(/^user /, "user ") { print "user", site, numbered($0); next }
        name == "" { name = $0; next }
        { print "setting", site, name, name ~ /pass|auth/ && $0 != "" ? "(hidden)" : $0; name = "" }'
done
