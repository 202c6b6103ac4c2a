<?php

namespace App\Console\Commands;

use Illuminate\Console\Command;
use Symfony\Component\Process\Process;

class Horizon extends Command
{
    protected $signature = 'horizon';

    protected $description = 'Runs jobs as Laravel Horizon does: in a process of its own, which it waits for';

    public function handle(): int
    {
        $worker = new Process(['php', 'artisan', 'queue:work', '--sleep=0.2'], base_path());
        $worker->setTimeout(null)->start();

        pcntl_async_signals(true);
        pcntl_signal(SIGTERM, function () use ($worker): void {
            $worker->signal(SIGTERM);
        });

        return $worker->wait();
    }
}
