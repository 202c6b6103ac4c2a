<?php

namespace App\Http\Controllers;

class WhoamiController
{
    public function __invoke(): array
    {
        $opcache = function_exists('opcache_get_status') ? opcache_get_status(false) : false;

        return [
            'sapi' => PHP_SAPI,
            'php' => PHP_VERSION,
            'laravel' => app()->version(),
            'pid' => getmypid(),
            'uid' => posix_geteuid(),
            'user' => posix_getpwuid(posix_geteuid())['name'] ?? null,
            'release' => realpath(base_path()),
            'release_writable' => is_writable(base_path()),
            'storage_writable' => is_writable(storage_path()),
            'opcache' => [
                'enabled' => $opcache !== false && $opcache['opcache_enabled'],
                'validate_timestamps' => (bool) ini_get('opcache.validate_timestamps'),
                'scripts' => $opcache === false ? 0 : $opcache['opcache_statistics']['num_cached_scripts'],
            ],
        ];
    }
}
