"""Jobs: `draem` commands that the page starts, each in a process of its own.

Everything about a job is in its folder, web/jobs/ID/, so that the page can end and start again
while it runs, and every browser sees it.

job.py         a job and its state, as its folder says
runner.py      the process around the command: it notes the exit code
queue.py       `Jobs`: starts jobs in their order, interrupts and removes them
progress.py    what a running command has said of its progress
panel.py       a job in a page
"""
