"""What each verb of the command line does: config in, exit code out.

A verb is two files: a module here and a file of the same name in configs/. ``fontgan.config.verbs`` finds it. It holds

    SUMMARY     one line, for ``fontgan --help``
    EXAMPLES    commands, for its own help
    Config      the dataclass of its keys, with their limits (``fontgan.config.schema.limited``)
    main(cfg)   does it and returns the exit code, 0 only if all was done

and may hold

    ORDER                   its place in ``fontgan --help``; without one it comes last
    FIRST_WORD              the key that a first word without ``=`` stands for
    conflicts(cfg, typed)   raises ConfigError where settings that were typed would be replaced or never used

``fontgan --help`` imports all of these modules, and composing a config imports one. So that both stay quick, they import
nothing heavy at their top: ``main`` imports what it works with, all in its first lines.
"""
