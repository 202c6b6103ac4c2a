<?php

// What composer.json declares, for servers without Composer: the framework
// from Debian's php-laravel-framework, and App\ from app/.

$composer = __DIR__.'/../vendor/autoload.php';

if (is_file($composer)) {
    require $composer;

    return;
}

require '/usr/share/php/Illuminate/autoload.php';

spl_autoload_register(function (string $class): void {
    if (strncmp($class, 'App\\', 4) !== 0) {
        return;
    }

    $file = __DIR__.'/../app/'.strtr(substr($class, 4), '\\', '/').'.php';

    if (is_file($file)) {
        require $file;
    }
});
