# Prints for each line of $sites, a certificate's directory and a name, when the certificate begins and
# ends and its fingerprint, and that of the one nginx answers the name with; words apart by tabs.
openssl version >/dev/null || exit
printf '%s\n' "$sites" | while read -r directory name; do
    openssl x509 -in "$directory/fullchain.pem" -noout -startdate -enddate -fingerprint -sha256 2>/dev/null |
        sed "s|^|$name	|; s/=/	/"
    timeout 3 openssl s_client -connect 127.0.0.1:443 -servername "$name" </dev/null 2>/dev/null |
        openssl x509 -noout -fingerprint -sha256 2>/dev/null | sed "s|^[^=]*=|$name	served	|"
done
true
