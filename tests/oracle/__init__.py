"""Judges footage from outside: reads it with PyAV alone and compares it with what the simulator says
it sent.

Shares no code with the product or the simulator.
"""
