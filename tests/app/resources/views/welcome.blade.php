@extends('layout')

@section('content')
<h1>Stagecraft test app</h1>
@endsection
