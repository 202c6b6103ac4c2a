<?php

use App\Http\Controllers\PingController;
use Illuminate\Support\Facades\Route;

Route::match(['get', 'post', 'put', 'delete'], '/ping', PingController::class);
