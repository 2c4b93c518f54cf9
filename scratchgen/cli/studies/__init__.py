"""The subcommands of `scratchgen study`, one module each, with HELP, add_arguments(parser) and main(args)."""
