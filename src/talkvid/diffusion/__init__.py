"""Pure diffusion maths: schedules, windows, samplers and losses as functions of tensors."""
