@extends('layout')

@section('content')
<h1>Customer portal</h1>
@foreach ($appointments as $appointment)
<p>{{ $appointment->customer }}</p>
@endforeach
@endsection
