<?php

// Laravel 8's phpredis connector ignores `username`; given as a pair, the
// password carries it on every version.
$redis = [
    'host' => env('REDIS_HOST', '127.0.0.1'),
    'port' => env('REDIS_PORT', 6379),
    'password' => env('REDIS_USERNAME')
        ? [env('REDIS_USERNAME'), env('REDIS_PASSWORD')]
        : env('REDIS_PASSWORD'),
];

return [

    'default' => env('DB_CONNECTION', 'mysql'),

    'connections' => [
        'mysql' => [
            'driver' => 'mysql',
            'host' => env('DB_HOST', '127.0.0.1'),
            'port' => env('DB_PORT', '3306'),
            'unix_socket' => env('DB_SOCKET', ''),
            'database' => env('DB_DATABASE'),
            'username' => env('DB_USERNAME'),
            'password' => env('DB_PASSWORD', ''),
            'charset' => env('DB_CHARSET', 'utf8mb4'),
            'collation' => env('DB_COLLATION', 'utf8mb4_unicode_ci'),
            'prefix' => '',
            'strict' => true,
        ],
    ],

    'migrations' => 'migrations',

    'redis' => [
        'client' => env('REDIS_CLIENT', 'phpredis'),
        'options' => ['prefix' => env('REDIS_PREFIX', '')],
        'default' => $redis + ['database' => env('REDIS_DB', '0')],

        // A database of its own, because cache:clear is FLUSHDB: in the
        // default one it would take the queued jobs and the sessions along.
        'cache' => $redis + ['database' => env('REDIS_CACHE_DB', '1')],
    ],

];
