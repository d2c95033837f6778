"""From a configuration to a trained network: one step, the loop around it, what it leaves behind."""
