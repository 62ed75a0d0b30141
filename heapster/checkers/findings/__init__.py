"""Findings: described, kept, explained."""
