"""What is a finding, how bad it is, whose change it is, since when, and what puts it right."""
