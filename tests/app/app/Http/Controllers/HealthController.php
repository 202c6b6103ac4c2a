<?php

namespace App\Http\Controllers;

use Closure;
use Illuminate\Http\JsonResponse;
use Illuminate\Support\Facades\Cache;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Str;
use RuntimeException;
use Throwable;

class HealthController
{
    /** Asks the database and the cache with the app's own logins; 503 when one fails. */
    public function __invoke(): JsonResponse
    {
        $database = $this->state(function () {
            DB::select('select 1');
        });

        $cache = $this->state(function () {
            $key = 'health:'.Str::random(8);
            Cache::put($key, 'written', 10);

            if (Cache::pull($key) !== 'written') {
                throw new RuntimeException('The cache does not return what was put into it.');
            }
        });

        $healthy = $database === 'connected' && $cache === 'connected';

        return response()->json([
            'status' => $healthy ? 'ok' : 'error',
            'environment' => config('app.env'),
            'database' => $database,
            'cache' => $cache,
            'version' => config('app.version'),
            'commit' => config('app.commit'),
        ], $healthy ? 200 : 503);
    }

    /** The reason goes to the log: it may name hosts and logins. */
    private function state(Closure $check): string
    {
        try {
            $check();

            return 'connected';
        } catch (Throwable $e) {
            report($e);

            return 'failed';
        }
    }
}
