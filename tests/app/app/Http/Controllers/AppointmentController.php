<?php

namespace App\Http\Controllers;

use App\Jobs\ConfirmAppointment;
use App\Models\Appointment;
use Illuminate\Database\Eloquent\Collection;
use Illuminate\Http\JsonResponse;
use Illuminate\Http\Request;

class AppointmentController
{
    public function index(): Collection
    {
        return Appointment::all();
    }

    public function show(string $id): Appointment
    {
        return Appointment::findOrFail($id);
    }

    public function store(Request $request): JsonResponse
    {
        $appointment = Appointment::create($request->validate(['customer' => 'required|string|max:100']));
        ConfirmAppointment::dispatch($appointment->id);

        return response()->json($appointment, 201);
    }
}
