# Runs certbot with the arguments from $3 on, which also trusts the CAs in the directory $1, if any. Prints
# $2 if the CA refuses.
if [ -n "$1" ]; then
    # It must be a single file: the system's CAs and ours, joined for each use.
    bundle=/run/stagecraft/acme-ca.pem
    mkdir -p /run/stagecraft && cat /etc/ssl/certs/ca-certificates.crt "$1"/*.pem >$bundle || exit
    export REQUESTS_CA_BUNDLE=$bundle
fi
said=$2
shift 2
certbot "$@" || {
    echo "$said" >&2
    exit 1
}
