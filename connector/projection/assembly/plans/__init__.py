"""How the server plans every statement that assembly runs: what it reads whole, and how many orders a row leads to."""
