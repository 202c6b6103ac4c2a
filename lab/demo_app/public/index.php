<?php
// A visitor sees the version; the health check asks for the commit (docs/releases.md).
$commit = trim(file_get_contents(__DIR__ . '/../REVISION'));

if (parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH) === '/health') {
    header('Content-Type: application/json');
    exit(json_encode(['status' => 'ok', 'commit' => $commit]));
}
?>
Version 1
