<?php

use App\Http\Controllers\AdminController;
use App\Http\Controllers\CacheController;
use App\Http\Controllers\LoginController;
use App\Http\Controllers\PortalController;
use App\Http\Controllers\QueueController;
use App\Http\Controllers\SessionController;
use App\Http\Controllers\UploadController;
use Illuminate\Support\Facades\Route;

// With session, encrypted cookies and CSRF protection. Controllers only, no
// closures: route:cache must work on every version.

Route::view('/', 'welcome');
Route::get('/admin', AdminController::class)->middleware('auth');
Route::get('/admin/login', [LoginController::class, 'form'])->name('login');
Route::post('/admin/login', [LoginController::class, 'login']);

Route::middleware(['feature:customer_portal', 'auth'])->prefix('portal')->group(function () {
    Route::get('/', [PortalController::class, 'index']);
    Route::get('/calls', [PortalController::class, 'calls'])->middleware('feature:customer_portal_calls');
});

Route::get('/cache/{value}', CacheController::class);
Route::get('/session', SessionController::class);
Route::get('/queue/{value}', [QueueController::class, 'dispatch']);
Route::get('/queue-result/{value}', [QueueController::class, 'result']);
Route::post('/upload', UploadController::class);
