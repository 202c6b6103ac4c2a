<?php

namespace App\Http\Controllers;

use Illuminate\Contracts\View\View;
use Illuminate\Http\RedirectResponse;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Auth;

class LoginController
{
    public function form(): View
    {
        return view('login');
    }

    public function login(Request $request): RedirectResponse
    {
        abort_unless(Auth::attempt($request->only('email', 'password')), 401);
        $request->session()->regenerate();

        return redirect('/');
    }
}
