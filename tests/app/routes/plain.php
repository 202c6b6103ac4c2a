<?php

use App\Http\Controllers\HealthController;
use App\Http\Controllers\ScriptController;
use App\Http\Controllers\WhoamiController;
use Illuminate\Support\Facades\Route;

// No middleware group: these answer even when Redis, and with it the session, is down.

Route::get('/health', HealthController::class);
Route::get('/whoami', WhoamiController::class);

// Looks like a static file, is none: as Livewire and Filament serve their scripts.
Route::get('/livewire/livewire.js', ScriptController::class);
