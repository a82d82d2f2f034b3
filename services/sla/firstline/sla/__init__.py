"""Time: response clocks counted in business time, and the calendar behind them (clauses 2.1, 2.3)."""
