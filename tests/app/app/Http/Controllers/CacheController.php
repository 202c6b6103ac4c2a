<?php

namespace App\Http\Controllers;

use Illuminate\Support\Facades\Cache;

class CacheController
{
    public function __invoke(string $value): array
    {
        $before = Cache::get('value');
        Cache::put('value', $value, 600);

        return ['before' => $before, 'value' => Cache::get('value')];
    }
}
