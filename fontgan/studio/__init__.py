"""The studio: a page on the user's own machine, from a font or a hand to the finished font.

It decides nothing that a command could decide. Every button is a command of fontgan, run as a process of its own in the
project's folder; what the pages show is read from the files that these commands leave. So a project can be gone on with
from the command line, and closing the page or the server loses nothing.

    project     the folder of a project and what was chosen in it
    commands    what was chosen -> command lines
    jobs        the queue of commands, as files;  job_process runs one;  progress reads how far it is
    guard       which requests are answered at all;  uploads takes files in
    texts       what people read, in four languages
    app         the pages, of which each step has a module in pages/;  server starts it
"""
