@extends('layout')

@section('content')
<h1>Customer portal</h1>
@endsection
