<?php

namespace App\Models;

use Illuminate\Database\Eloquent\Builder;
use Illuminate\Database\Eloquent\Model;
use Illuminate\Support\Facades\Auth;

class Appointment extends Model
{
    public $timestamps = false;

    protected $fillable = ['customer'];

    protected static function booted(): void
    {
        static::addGlobalScope(new CompanyScope);
        static::creating(function (self $appointment): void {
            $appointment->company_id = Auth::user()->company_id;
        });
    }

    public static function ofAllCompanies(): Builder
    {
        return static::withoutGlobalScope(CompanyScope::class);
    }
}
