<?php

namespace App\Http\Controllers;

use App\Models\Appointment;
use Illuminate\Contracts\View\View;
use Illuminate\Http\Request;

class PortalController
{
    public function index(Request $request): View
    {
        abort_unless($request->user()->canAccessCustomerPortal(), 403);

        return view('portal.index', ['appointments' => Appointment::all()]);
    }

    public function calls(Request $request): View
    {
        abort_unless($request->user()->canAccessCustomerPortal(), 403);

        return view('portal.calls');
    }
}
