"""Every model that the project can use: what for, where it comes from and lies, and under which licence."""
