<?php

namespace App;

/** Tests release other versions of this, of config/version.php and of the view. */
class Version
{
    public const NUMBER = 0;
}
