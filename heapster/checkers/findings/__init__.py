"""What was found: described, kept, explained."""
