<?php

namespace App\Http\Controllers;

use Illuminate\Http\Response;

class ScriptController
{
    public function __invoke(): Response
    {
        return response("// served by the app\n", 200, ['Content-Type' => 'text/javascript; charset=utf-8']);
    }
}
