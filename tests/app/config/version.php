<?php

return ['number' => 0];
