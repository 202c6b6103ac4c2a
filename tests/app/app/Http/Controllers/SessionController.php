<?php

namespace App\Http\Controllers;

use Illuminate\Http\Request;

class SessionController
{
    public function __invoke(Request $request): array
    {
        $visits = $request->session()->get('visits', 0) + 1;
        $request->session()->put('visits', $visits);

        return ['visits' => $visits];
    }
}
