<?php

namespace App\Models;

use Illuminate\Foundation\Auth\User as Authenticatable;

/** Of a company, or of the operator's own staff, which has none. */
class User extends Authenticatable
{
    public function canAccessCustomerPortal(): bool
    {
        return $this->company_id !== null;
    }

    public function isStaff(): bool
    {
        return $this->company_id === null;
    }
}
