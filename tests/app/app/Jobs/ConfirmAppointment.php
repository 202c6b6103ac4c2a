<?php

namespace App\Jobs;

use App\Models\Appointment;
use Illuminate\Bus\Queueable;
use Illuminate\Contracts\Queue\ShouldQueue;
use Illuminate\Foundation\Bus\Dispatchable;

class ConfirmAppointment implements ShouldQueue
{
    use Dispatchable, Queueable;

    /** @var int */
    public $id;

    public function __construct(int $id)
    {
        $this->id = $id;
    }

    public function handle(): void
    {
        Appointment::ofAllCompanies()->whereKey($this->id)->update(['confirmed_at' => now()]);
    }
}
