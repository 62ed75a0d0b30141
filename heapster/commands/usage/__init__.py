"""The command lines, a module each: names, options, help. What a command does is imported when it runs."""
