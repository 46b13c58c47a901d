"""Members, recurring revenue and sales over time: how they are counted, and who is behind them."""
