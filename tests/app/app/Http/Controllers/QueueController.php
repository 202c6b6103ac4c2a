<?php

namespace App\Http\Controllers;

use App\Jobs\RecordResult;
use Illuminate\Http\JsonResponse;
use Illuminate\Support\Facades\DB;

class QueueController
{
    public function dispatch(string $value): JsonResponse
    {
        RecordResult::dispatch($value);

        return response()->json(['queued' => $value], 202);
    }

    /** 404 until a worker has run the job. */
    public function result(string $value): JsonResponse
    {
        $result = DB::table('results')->where('value', $value)->first();

        abort_if($result === null, 404);

        return response()->json(['value' => $result->value, 'sapi' => $result->sapi, 'uid' => $result->uid]);
    }
}
