@extends('layout')

@section('content')
<h1>Administration</h1>
@endsection
