<?php

namespace App\Console;

use App\Jobs\RecordResult;
use Illuminate\Console\Scheduling\Schedule;
use Illuminate\Foundation\Console\Kernel as ConsoleKernel;

class Kernel extends ConsoleKernel
{
    protected function schedule(Schedule $schedule)
    {
        // withoutOverlapping keeps its mutex in the cache, as real applications' schedules do.
        $schedule->job(new RecordResult('scheduled'))
            ->name('record-result')
            ->everyMinute()
            ->withoutOverlapping();
    }
}
