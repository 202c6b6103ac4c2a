<?php

namespace App\Http\Controllers;

use Illuminate\Contracts\View\View;

class PortalController
{
    public function index(): View
    {
        return view('portal.index');
    }

    public function calls(): View
    {
        return view('portal.calls');
    }
}
