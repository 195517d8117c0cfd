"""What lesson 10 keeps: what each step of preparing a photograph is worth, and what made ones are worth."""
