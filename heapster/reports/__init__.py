"""Reports: show people and machines what a run found."""
