"""`stagecraft release` and `rollback`: the operator's side. What happens on the server is in
stagecraft/on_server/."""
