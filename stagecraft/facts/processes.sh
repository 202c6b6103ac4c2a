# Prints processes that do not match the files on disk: when nginx and PHP-FPM loaded their
# configuration, and which units run deleted files, run code of no package, or have variables that name
# such code and that their units do not set. Kind, unit and value, NUL-terminated, as base64.
# A part that has done all of its work prints a last line `complete` with its name. That line passes
# through the same programs as the results, so a part that fails midway does not look clean.
processes=$(ps -eo pid=,unit:256=,args:40= --sort=start_time,pid) || exit
users=$(ps -eo pid=,user:64=,unit:256=) || exit
processes=$(printf '%s\n' "$processes" | sed -E 's/^ +//; s/ +/\t/; s/ +/\t/') || exit
# A unit is judged by its oldest process: its children, such as an app's or a cron job's, run other code
# and choose their own names.
oldest=$(printf '%s\n' "$processes" | awk -F '\t' '!seen[$2]++') || exit

# Prints the last line of a source, unless its xargs failed. 123 means that nothing matched, or that a
# process has ended since.
ended() {
    case $? in 0 | 123) echo '= end' ;; esac
}

# A master that loads its configuration creates new shared memory: PHP-FPM all of it, nginx the zone
# stagecraft_loaded. Only a reload does that, so its creation time (%W) is that of the last load.
find_loaded() {
    printf '%s\n' "$oldest" '= end' |
        sed -nE 's/^([0-9]+\t[^\t]+)\t(nginx|php-fpm): master process .*/\1/p; /^= end$/p' |
        while read -r pid unit; do
            [ "$pid" != = ] || { printf 'complete\tloaded\t\n'; break; }
            moment=$(
                find "/proc/$pid/map_files" -lname '/dev/zero (deleted)' -exec stat -L -c '%.W' {} + |
                    grep '^[1-9]' | sort -n | tail -n 1
            )
            if [ -n "$moment" ]; then
                printf 'loaded\t%s\t%s\n' "$unit" "$moment"
            elif [ -d "/proc/$pid" ]; then
                break
            fi
        done
}

# Counts deleted files of packages in all processes; ignores files created in memory or /tmp. A program
# that a sandbox mounts by itself (ExecPaths=) is called `/` there. A path over which a sandbox has
# mounted something has another inode than on disk.
find_code() {
    # Limits the number and length of lines, which are held in memory: a process can map many files with
    # long names, which takes seconds to read. So of the sites' processes only the oldest of each unit is
    # read. PHP's compiled code is in /dev/zero.
    maps=$(
        { printf '%s\n' "$oldest"; printf '%s\n' "$users" | awk '
            { user[$1] = $2 }
            $3 ~ /^php-fpm@.+\.service$/ { site[substr($3, 9, length($3) - 16)] }
            END { for (pid in user) if (!(user[pid] in site)) print pid "\t" }'; } |
            sed -nE 's|^([0-9]+)\t.*|/proc/\1/maps|p' | sort -u |
            { xargs grep -H -m 1000 -E ' [r-][w-]x[ps] .* /'; ended; } |
            grep -vF '/dev/zero (deleted)' |
            awk '!seen[substr($0, 1, index($0, ":")) substr($0, index($0, " /"), 600)]++ { print substr($0, 1, 700) }'
    )
    {
        printf '%s\n' "$oldest" | cut -f 1,2
        echo '= all'
        printf '%s\n' "$processes" | cut -f 1,2
        echo '= programs'
        find -L /proc/[0-9]*/exe -printf '%p\t%D:%i\n'
        echo '= on disk'
        printf '%s\n' "$maps" | sed 's|^[^ ]*[^/]*||' | sort -u | xargs -d '\n' stat --printf '%n\t%i\n'
        echo '= maps'
        printf '%s\n' "$maps"
        echo '= packaged'
        sed -n '2~3p' /var/lib/dpkg/diversions
        cat /var/lib/dpkg/info/*.list
        echo '= all read'
    } | awk -F '\t' -v OFS='\t' '
        /^= end$/ { ends++; next }
        /^= / { part = $0; next }
        !part { oldest[$2] = $1; next }
        part == "= all" { unit[$1] = $2; next }
        part == "= programs" { split($1, at, "/"); program[at[3]] = $2; next }
        part == "= on disk" { inode[$1] = $2; found_on_disk++; next }
        part == "= packaged" { delete foreign[$0]; delete foreign["/usr" $0]; next }
        {
            split($0, at, "/")
            its = unit[at[3]]
            split($0, field, / +/)
            path = substr($0, match($0, / \/.*/) + 1)
            if (path ~ /^\/((usr|opt|lib|lib64|bin|sbin)\/.*)? \(deleted\)$/) {
                sub(/ \(deleted\)$/, "", path)
                deleted[its OFS path]
            } else if (its ~ /\.service$/ && program[at[3]] == program[oldest[its]]) {
                if (path in inode && inode[path] != field[5]) path = path " (not the one on disk)"
                foreign[path] = foreign[path] its OFS
            }
        }
        END {
            if (ends && found_on_disk && part == "= all read") print "complete", "code", ""
            for (found in deleted) print "deleted", found
            for (path in foreign) {
                count = split(foreign[path], units, OFS)
                for (n = 1; n < count; n++) print "foreign", units[n], path
            }
        }' | sort -u | awk -F '\t' -v OFS='\t' '
        # Limits what a site can add to a report by loading many files.
        ++count[$1 OFS $2] <= 20
        count[$1 OFS $2] == 21 { print $1, $2, "more than 20 of them" }'
}

# Only programs that do not overwrite their environment with titles, as nginx, PHP-FPM, Redis and sshd
# do.
names_code='^(LD_[A-Z_]+|GCONV_PATH|PYTHON(PATH|HOME)|PERL5(LIB|OPT)|RUBY(LIB|OPT)|NODE_(PATH|OPTIONS)|PHPRC|PHP_INI_SCAN_DIR|BASH_ENV|JAVA_TOOL_OPTIONS|OPENSSL_(CONF|MODULES|ENGINES)|PATH)='
common_path=':PATH=((/usr(/local)?)?/s?bin:?)+$'
find_variables() {
    printf '%s\n' "$oldest" | sed -nE 's|^([0-9]+)\t[^\t]+\.service\t.*|/proc/\1/environ|p' |
        { xargs -r grep -zHE "$names_code"; ended | tr '\n' '\0'; } |
        grep -zvE "$common_path" | tr '\n\0' ' \n' |
        sed -E 's|^/proc/([0-9]+)/environ:|\1 |' | while read -r pid variable; do
            [ "$pid" != = ] || { printf 'complete\tvariables\t\n'; break; }
            unit=$(printf '%s\n' "$oldest" | sed -n "s/^$pid\t\([^\t]*\)\t.*/\1/p")
            set_for "$unit" | grep -qxF "$variable" || printf 'variable\t%s\t%s\n' "$unit" "$variable"
        done
}

set_for() { # prints the variables of unit $1, set in its files or in systemd for all units
    systemctl show --property=Environment --value -- "$1" | xargs -r printf '%s\n'
    systemctl show-environment
    systemctl show --property=EnvironmentFiles --value -- "$1" | sed 's/ (ignore_errors=.*//' |
        xargs -rd '\n' sed -E "s/^[[:space:]]+//; s/=([\"'])(.*)\1\$/=\2/"
}

{ find_loaded; find_code; find_variables; } 2>/dev/null |
    sed 's/\t/\n/; s/\t/\n/' | tr '\n' '\0' | base64 --wrap=0
