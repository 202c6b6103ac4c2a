<?php

use Monolog\Handler\NullHandler;
use Monolog\Handler\StreamHandler;

$level = env('LOG_LEVEL', 'debug');

return [

    'default' => env('LOG_CHANNEL', 'single'),

    'channels' => [
        'stack' => ['driver' => 'stack', 'channels' => ['single']],
        'single' => ['driver' => 'single', 'path' => storage_path('logs/laravel.log'), 'level' => $level],
        'daily' => ['driver' => 'daily', 'path' => storage_path('logs/laravel.log'), 'level' => $level, 'days' => 14],
        'stderr' => [
            'driver' => 'monolog',
            'handler' => StreamHandler::class,
            'with' => ['stream' => 'php://stderr'],
            'level' => $level,
        ],
        'syslog' => ['driver' => 'syslog', 'level' => $level],
        'null' => ['driver' => 'monolog', 'handler' => NullHandler::class],
        'emergency' => ['path' => storage_path('logs/laravel.log')],
    ],

];
