"""How a fresh clone becomes a team's own."""
