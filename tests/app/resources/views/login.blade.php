@extends('layout')

@section('content')
<form method="post">
    @csrf
    <input name="email" type="email">
    <input name="password" type="password">
    <button>Log in</button>
</form>
@endsection
