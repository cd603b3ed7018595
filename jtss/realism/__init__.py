"""Simulation against reality: can they be told apart, and how do models fare on the real sky?"""
