"""The HTML report: one page with the leaderboard, the curves, the costs and the pictures of finished runs."""
