"""Products: from pictures of good parts to a running line, without a terminal.

rooms.py        adds the pages and routes to the site
overview.py     /products and /products/new
page.py         /products/NAME: the steps, the jobs, the chosen step
steps/          one file for each step
bench.py        what is known of a product, and what each step needs
commands.py     the words of the commands that do the work
draft.py        what people have chosen for the next training
picture_folder.py, intake.py, marks.py      the pictures
running.py      which stations judge a product now
versions.py     what a product's folder says
routes.py, uploads.py    pictures, reports and files that browsers get and send
"""
