"""Campaigns that go on."""
