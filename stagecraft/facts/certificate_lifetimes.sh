# For each line of $sites (a certificate's directory and a server name), prints the begin, end and
# fingerprint of the certificate, and the fingerprint that nginx presents for the name; tab-separated.
openssl version >/dev/null || exit
printf '%s\n' "$sites" | while read -r directory name; do
    openssl x509 -in "$directory/fullchain.pem" -noout -startdate -enddate -fingerprint -sha256 2>/dev/null |
        sed "s|^|$name	|; s/=/	/"
    timeout 3 openssl s_client -connect 127.0.0.1:443 -servername "$name" </dev/null 2>/dev/null |
        openssl x509 -noout -fingerprint -sha256 2>/dev/null | sed "s|^[^=]*=|$name	served	|"
done
true
