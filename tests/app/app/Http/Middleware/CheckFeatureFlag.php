<?php

namespace App\Http\Middleware;

use Closure;
use Illuminate\Http\Request;

class CheckFeatureFlag
{
    /** A feature that is off does not exist: 404, not 403. */
    public function handle(Request $request, Closure $next, string $feature)
    {
        abort_unless(config("features.$feature") === true, 404);

        return $next($request);
    }
}
