"""Campaigns that go on: several targets and checkers in turn, in a folder that keeps what they came to."""
