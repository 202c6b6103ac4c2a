<?php

use App\Http\Controllers\AppointmentController;
use App\Http\Controllers\PingController;
use App\Http\Controllers\VersionController;
use Illuminate\Support\Facades\Route;

Route::match(['get', 'post', 'put', 'delete'], '/ping', PingController::class);
Route::get('/version', VersionController::class);

// `Authorization: Bearer <a user's token>` says whose appointments.
Route::middleware('auth:api')->prefix('v1/appointments')->group(function () {
    Route::get('/', [AppointmentController::class, 'index']);
    Route::post('/', [AppointmentController::class, 'store']);
    Route::get('/{id}', [AppointmentController::class, 'show']);
});
