<?php

namespace App\Http\Controllers;

use App\Version;

class VersionController
{
    /** From a class, the cached configuration and a template: three files of a release. */
    public function __invoke(): array
    {
        return [
            'class' => Version::NUMBER,
            'config' => config('version.number'),
            'view' => (int) trim(view('version')->render()),
        ];
    }
}
