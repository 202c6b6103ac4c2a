<?php

namespace App\Jobs;

use Illuminate\Bus\Queueable;
use Illuminate\Contracts\Queue\ShouldQueue;
use Illuminate\Foundation\Bus\Dispatchable;
use Illuminate\Queue\InteractsWithQueue;
use Illuminate\Support\Facades\DB;
use RuntimeException;

/** Writes down that a worker ran it, and as whom. The value "fail" throws. */
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

        DB::table('results')->updateOrInsert(
            ['value' => $this->value],
            ['sapi' => PHP_SAPI, 'uid' => posix_geteuid(), 'created_at' => now()]
        );
    }
}
