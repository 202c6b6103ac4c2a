<?php

namespace App\Console;

use App\Console\Commands\Horizon;
use App\Console\Commands\RemindOfAppointments;
use App\Jobs\RecordResult;
use Illuminate\Console\Scheduling\Schedule;
use Illuminate\Foundation\Console\Kernel as ConsoleKernel;

class Kernel extends ConsoleKernel
{
    protected $commands = [Horizon::class, RemindOfAppointments::class];

    protected function schedule(Schedule $schedule)
    {
        // withoutOverlapping keeps its mutex in the cache, as real applications' schedules do.
        $schedule->job(new RecordResult('scheduled'))
            ->name('record-result')
            ->everyMinute()
            ->withoutOverlapping();
        $schedule->command('appointments:remind')->everyMinute()->withoutOverlapping();
    }
}
