"""Runs as one page of HTML that needs no network: `page.write`."""
