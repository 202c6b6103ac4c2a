@extends('layout')

@section('content')
<h1>Calls in the customer portal</h1>
@endsection
