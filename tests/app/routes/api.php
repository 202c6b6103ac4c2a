<?php

use App\Http\Controllers\PingController;
use App\Http\Controllers\VersionController;
use Illuminate\Support\Facades\Route;

Route::match(['get', 'post', 'put', 'delete'], '/ping', PingController::class);
Route::get('/version', VersionController::class);
