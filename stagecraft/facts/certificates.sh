# Prints which certificate nginx uses, the names and expiry of the self-signed one and certbot's, and
# certbot's ACME directory: a key and its value.
examine() { # certificate of kind $1 in directory $2; expiring means within $3 seconds
    [ -e "$2/fullchain.pem" ] || return
    echo "$1-names $(openssl x509 -in "$2/fullchain.pem" -noout -ext subjectAltName | tail -n 1)"
    openssl x509 -in "$2/fullchain.pem" -noout -checkend "$3" >/dev/null || echo "$1-expiring yes"
}
echo "served $(readlink "$link")"
{
    examine self-signed "$self_signed" "$margin"
    examine certbot "/etc/letsencrypt/live/$lineage" 0
    echo "certbot-server $(sed -n 's/^server = //p' "/etc/letsencrypt/renewal/$lineage.conf")"
} 2>/dev/null
true
