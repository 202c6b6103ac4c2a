<?php

namespace App\Console\Commands;

use App\Models\Appointment;
use Illuminate\Console\Command;

class RemindOfAppointments extends Command
{
    protected $signature = 'appointments:remind';

    protected $description = 'Reminds customers of confirmed appointments, once';

    public function handle(): void
    {
        Appointment::ofAllCompanies()
            ->whereNotNull('confirmed_at')
            ->whereNull('reminded_at')
            ->update(['reminded_at' => now()]);
    }
}
