# Makes a self-signed certificate at $1, for $2 days, with the subject $3 and the names $4. A new
# directory and a link make key and certificate always match.
umask 077
mkdir -p "${1%/*}" && new=$(mktemp -d "$1.XXXXXX") &&
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days "$2" \
        -subj "/CN=$3" -addext "subjectAltName=$4" -addext extendedKeyUsage=serverAuth \
        -keyout "$new/privkey.pem" -out "$new/fullchain.pem" &&
    ln -sfn "$new" "$1.link" && mv -fT "$1.link" "$1" &&
    for old in "$1".*; do [ "$old" = "$new" ] || rm -rf "$old"; done
