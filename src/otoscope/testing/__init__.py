"""Shipped with otoscope: signals with known answers, planted data, and checks for users' own parts."""
