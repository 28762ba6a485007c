"""What is made of finished runs: leaderboard, comparison and listing; and scoring of maps made elsewhere."""
