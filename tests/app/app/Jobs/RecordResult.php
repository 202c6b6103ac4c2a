<?php

namespace App\Jobs;

use Illuminate\Bus\Queueable;
use Illuminate\Contracts\Queue\ShouldQueue;
use Illuminate\Foundation\Bus\Dispatchable;
use Illuminate\Queue\InteractsWithQueue;
use Illuminate\Support\Facades\DB;
use RuntimeException;

/** Writes down that a worker ran it, as whom and how often. "fail" throws, "slow…" takes a second. */
class RecordResult implements ShouldQueue
{
    use Dispatchable, InteractsWithQueue, Queueable;

    public $tries = 1;

    /** @var string */
    public $value;

    public function __construct(string $value)
    {
        $this->value = $value;
    }

    public function handle(): void
    {
        if ($this->value === 'fail') {
            throw new RuntimeException('Failing, as asked.');
        }

        if (strncmp($this->value, 'slow', 4) === 0) {
            sleep(1);
        }

        DB::table('results')->updateOrInsert(
            ['value' => $this->value],
            ['sapi' => PHP_SAPI, 'uid' => posix_geteuid(), 'created_at' => now()]
        );
        DB::table('results')->where('value', $this->value)->increment('runs');
    }
}
