<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{{ config('app.name') }}</title>
@yield('content')
</html>
