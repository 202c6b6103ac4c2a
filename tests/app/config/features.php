<?php

return [

    'customer_portal' => (bool) env('FEATURE_CUSTOMER_PORTAL', false),
    'customer_portal_calls' => (bool) env('FEATURE_CUSTOMER_PORTAL_CALLS', false),
    'customer_portal_appointments' => (bool) env('FEATURE_CUSTOMER_PORTAL_APPOINTMENTS', false),

];
