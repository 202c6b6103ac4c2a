<?php

namespace App\Http\Controllers;

use Illuminate\Contracts\View\View;
use Illuminate\Http\Request;

class AdminController
{
    public function __invoke(Request $request): View
    {
        abort_unless($request->user()->isStaff(), 403);

        return view('admin');
    }
}
