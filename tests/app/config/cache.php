<?php

return [

    // Laravel 10 and older say CACHE_DRIVER, 11 and newer CACHE_STORE.
    'default' => env('CACHE_STORE', env('CACHE_DRIVER', 'file')),

    'stores' => [
        'array' => ['driver' => 'array', 'serialize' => false],
        'file' => ['driver' => 'file', 'path' => storage_path('framework/cache/data')],
        'redis' => ['driver' => 'redis', 'connection' => 'cache', 'lock_connection' => 'default'],
    ],

    // Added to REDIS_PREFIX: a cache key is <REDIS_PREFIX><CACHE_PREFIX>:<key>.
    'prefix' => env('CACHE_PREFIX', ''),

];
