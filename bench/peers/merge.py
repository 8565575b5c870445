"""The closed-form merge with two float64 numbers per weight, and the secant scale (docs/how-it-works.md)."""

import torch


class Memory:
    """S0 = sum of F, S1 = sum of F (theta* - theta_hat_0), and theta_hat - theta_hat_0, by module."""

    def __init__(self, weights):
        self.s0, self.s1, self.moved = ([torch.zeros_like(w, dtype=torch.float64) for w in weights] for _ in range(3))
        self.tasks = 0

    def merge(self, fisher, deltas, loss_rise):
        """Takes the task in; returns alpha."""
        deltas = [delta.double() for delta in deltas]
        mass = float(sum((f * d * d).sum() for f, d in zip(fisher, deltas)))
        factor = loss_rise / (0.5 * mass) if loss_rise > 0 and mass > 0 else 1.0
        numerator = denominator = 0.0
        for s0, s1, moved, f, d in zip(self.s0, self.s1, self.moved, fisher, deltas):
            s0.add_(f, alpha=factor)
            s1.add_(f * (moved + d), alpha=factor)
            numerator -= float(((s0 * moved - s1) * d).sum())
            denominator += float((s0 * d * d).sum())
        alpha = 1.0 if self.tasks == 0 else min(max(numerator / denominator, 0.0), 1.0)
        for moved, d in zip(self.moved, deltas):
            moved.add_(d, alpha=alpha)
        self.tasks += 1
        return alpha
