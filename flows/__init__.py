import tasks as tasks  # first, so that Ctrl-C while libraries are imported is one line
