<?php

namespace App\Http\Controllers;

use Illuminate\Http\Request;

class PingController
{
    public function __invoke(Request $request): array
    {
        return [
            'pong' => true,
            'method' => $request->method(),
            'scheme' => $request->getScheme(),
            'host' => $request->getHost(),
            'ip' => $request->ip(),
        ];
    }
}
