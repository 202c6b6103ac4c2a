# Production as somebody built it by hand, one command after the other: nginx, MariaDB, the shared
# PHP-FPM pool and the shared Redis as Debian ships them, a vhost without a suffix, code of www-data's.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get install -q -y --no-install-recommends \
    nginx mariadb-server redis-server php-fpm php-mysql php-redis openssl cron >/dev/null
php=$(ls /etc/php)

printf '[mariadbd]\nbind-address = 0.0.0.0\n' >/etc/mysql/mariadb.conf.d/99-reports.cnf
systemctl restart mariadb

sed -i 's/# \(server_names_hash_bucket_size\) 64;/\1 128;/' /etc/nginx/nginx.conf

# The last of all names: without a default_server, the first one answers names that nobody knows.
cat >/etc/nginx/sites-available/www.askpro.test <<VHOST
limit_req_zone \$binary_remote_addr zone=login:1m rate=100r/s;

server {
    listen 80;
    listen [::]:80;
    server_name www.askpro.test;
    return 301 https://\$host\$request_uri;
}

server {
    listen 443 ssl;
    listen [::]:443 ssl;
    server_name www.askpro.test;

    root /var/www/api-gateway/public;
    index index.php;

    ssl_certificate /etc/letsencrypt/live/www.askpro.test/fullchain.pem;
    ssl_certificate_key /etc/letsencrypt/live/www.askpro.test/privkey.pem;
    ssl_session_cache shared:SSL:10m;
    client_max_body_size 700M;

    location / {
        try_files \$uri /index.php?\$query_string;
    }
    location = /login {
        limit_req zone=login;
        try_files \$uri /index.php?\$query_string;
    }
    location ~ \.php$ {
        try_files \$uri =404;
        fastcgi_pass unix:/run/php/php$php-fpm.sock;
        include fastcgi_params;
        fastcgi_param SCRIPT_FILENAME \$document_root\$fastcgi_script_name;
    }
}
VHOST
ln -sf /etc/nginx/sites-available/www.askpro.test /etc/nginx/sites-enabled/www.askpro.test

mkdir -p /etc/letsencrypt/live/www.askpro.test
openssl req -x509 -nodes -days 365 -newkey rsa:2048 -subj /CN=www.askpro.test \
    -keyout /etc/letsencrypt/live/www.askpro.test/privkey.pem \
    -out /etc/letsencrypt/live/www.askpro.test/fullchain.pem 2>/dev/null

mariadb <<'SQL'
CREATE DATABASE askproai_db;
CREATE USER askproai_user@localhost IDENTIFIED BY 'by hand';
GRANT ALL ON askproai_db.* TO askproai_user@localhost;
CREATE TABLE askproai_db.calls (id INT PRIMARY KEY, transcript TEXT);
INSERT INTO askproai_db.calls VALUES (1, 'from the database');
SQL
redis-cli SET askpro_cache_greeting 'from the cache' >/dev/null

mkdir -p /var/www/api-gateway/public
cat >/var/www/api-gateway/.env <<'ENV'
APP_KEY="base64:bm90IGEgcmVhbCBrZXksIGJ1dCAzMiBieXRlcyEhISE="
DB_USERNAME=askproai_user
DB_PASSWORD="by hand"
ENV
cat >/var/www/api-gateway/public/index.php <<'PHP'
<?php
$env = parse_ini_file(__DIR__ . '/../.env');
$dsn = 'mysql:host=127.0.0.1;port=3306;dbname=askproai_db';
$database = new PDO($dsn, $env['DB_USERNAME'], $env['DB_PASSWORD']);
$redis = new Redis();
$redis->connect('127.0.0.1', 6379);
echo $database->query('SELECT transcript FROM calls')->fetchColumn(), ', ',
    $redis->get('askpro_cache_greeting'), "\n";
PHP
chown -R www-data: /var/www/api-gateway
echo '0 4 * * * www-data test -e /var/www/api-gateway/artisan' >/etc/cron.d/askpro

nginx -t -q
systemctl reload nginx
