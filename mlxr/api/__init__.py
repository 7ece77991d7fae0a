"""What every transport shares: what it asks of the actors, and what requests and answers mean. Knows no HTTP."""
