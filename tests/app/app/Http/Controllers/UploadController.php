<?php

namespace App\Http\Controllers;

use Illuminate\Http\JsonResponse;
use Illuminate\Http\Request;

class UploadController
{
    /** Takes the multipart field "file"; keeps nothing. */
    public function __invoke(Request $request): JsonResponse
    {
        $file = $request->file('file');

        if ($file === null || ! $file->isValid()) {
            $error = $file === null ? 'There is no file in the field "file".' : $file->getErrorMessage();

            return response()->json(['error' => $error], 422);
        }

        return response()->json(['name' => $file->getClientOriginalName(), 'size' => $file->getSize()]);
    }
}
