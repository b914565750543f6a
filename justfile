# The one command surface: people, CI and hooks call these. './just' alone lists them.

export PATH := justfile_directory() / ".venv/bin:" + env("PATH")
export PYTHONUNBUFFERED := "1"

# install everything that pip can give this machine into .venv (quick when already done)
setup:
    @./deploy/setup.sh

# the whole machine: collect, train, build, calibrate, then judge a line  [--seed N] [--again] [--web]
demo *ARGS: setup
    @python -m trainer.demo.demo {{ARGS}}

# format, lint, types, import rules, tests
test *ARGS: setup
    ruff format --check .
    ruff check .
    mypy
    lint-imports
    OMP_NUM_THREADS=1 pytest -n auto --dist loadfile {{ARGS}}

# put the code into the house's format
format: setup
    ruff format .
    ruff check --fix .

# judge ten fresh lines with the product of the last demo
seeds COUNT="10": setup
    #!/usr/bin/env bash
    set -euo pipefail
    for i in $(seq {{COUNT}}); do
        python -m trainer.demo.demo --again | grep -E "^[0-9]+ parts|^found|^rejected"
    done

# milliseconds of each stage for the product of the last demo, engine against torch eager
bench *ARGS: setup
    @cd demo && draem bench line --product lid --source "line://moulded?rate=0&defects=0.25&seed=5" {{ARGS}}

# ten minutes of the simulated line; tells how much memory grew after the first minute
soak MINUTES="10": setup
    @python -m tests.measure.soak {{MINUTES}}

# real bottles with real defects: train, build, calibrate, run with a watcher, evaluate
bottle *ARGS: setup
    @python -m tests.measure.bottle {{ARGS}}

# what the default training reaches on real images: some minutes each (resumable) [--only DATA]
targets *ARGS: setup
    @python -m tests.measure.targets {{ARGS}}

# large pictures in tiles: cracks of 2 to 4 pixels found, seams, ms per megapixel, memory [found | seams | cost]
tiles *ARGS: setup
    @python -m tests.measure.tiles {{ARGS}}

# kill, freeze and cut everything 200 times while 50,000 triggers come: nothing lost, nothing twice
chaos *ARGS: setup
    @python -m tests.measure.chaos {{ARGS}}

# what the drift watch sees of a moved camera, less light, a smudge, and of 5,000 normal parts
drift *ARGS: setup
    @python -m tests.measure.drift {{ARGS}}

# fifty stations into one archive, with kills: every event once, every named picture there
plant *ARGS: setup
    @python -m tests.measure.plant {{ARGS}}

# what four viewers of the live page cost the line, elsewhere and on this machine, and how late their pictures are
web-live *ARGS: setup
    @python -m tests.measure.web_live {{ARGS}}

# whether the memory of the page and of a browser stays flat  [--minutes 60] [--pages 1]
web-memory *ARGS: setup
    @python -m tests.measure.web_memory {{ARGS}}

# what archive and metrics cost the inspecting loop, in pairs [--pairs N] [--seconds N]
archive-cost *ARGS: setup
    @python -m tests.measure.archive_cost {{ARGS}}

# how long a page's questions take on an archive of ten million inspections  --database FILE
archive-questions *ARGS: setup
    @python -m tests.measure.archive_questions {{ARGS}}

# draw docs/web-*.jpg: the page's screens, with the product of the last demo
web-screens: setup
    @python -m tests.measure.web_screens

# how long the pages of history and review take in a browser, on ten million inspections --folder DIR
web-history *ARGS: setup
    @python -m tests.measure.web_history {{ARGS}}

# change the product of a running line many times: gaps, frames accounted for, memory
switch COUNT="24": setup
    @python -m tests.measure.switching {{COUNT}}

# from 200 pictures to a running line through the web page: minutes, clicks  [--quick]
web-product *ARGS: setup
    @python -m tests.measure.web_product {{ARGS}}

# a line with a PLC and a reject gate, struck 50 times while 20,000 parts come: no NG part passes [--wire ethernet-ip]
plc *ARGS: setup
    @python -m tests.measure.plc_storm {{ARGS}}

# kill seal, activate, roll back, import and calibrate 200 times: the station has the old or the new
release-storm *ARGS: setup
    @python -m tests.measure.release_storm {{ARGS}}

# how long a verdict takes from its publication to a PLC that reads it over Modbus [--wire ethernet-ip]
plc-latency *ARGS: setup
    @python -m tests.measure.plc_latency {{ARGS}}

# four views of each part joined while views, connections and combine are killed: no bad part passes
combine *ARGS: setup
    @python -m tests.measure.combine {{ARGS}}

# draw docs/plc-*.svg: timing of the handshake with a PLC, recorded over Modbus
plc-timing: setup
    @python -m tests.measure.plc_timing

# where a frame's milliseconds go, and what this machine could at best  [--frames N] [--products DIR]
floor *ARGS: setup
    @python -m tests.measure.floor {{ARGS}}

# what a station's geometry costs in `fit`, in pairs with and without
fit-cost: setup
    @python -m tests.measure.fit_cost

# how often alignment finds a part, against other methods, and its milliseconds  [DIR of good pictures ...]
align *ARGS: setup
    @python -m tests.measure.align {{ARGS}}

# what events cost: latency, 1000 a second, a subscriber that stands still, a log of a million
events *ARGS: setup
    @python -m tests.measure.events {{ARGS}}

# 100,000 messages of rubbish at each socket of a running station
fuzz *ARGS: setup
    @python -m tests.measure.fuzz {{ARGS}}

# 10,000 frames over HTTP and RTSP, a fifth of them cut: none of these is judged [--frames N]
hostile-streams *ARGS: setup
    @python -m tests.measure.hostile_streams {{ARGS}}

# a GigE Vision camera killed, frozen and losing packets, and half an hour of it [kills] [soak MIN] ...
camera-storm *ARGS: setup
    @python -m tests.measure.camera_storm {{ARGS}}

# how many of 40 single-line faults the tests catch: --to FILE [--all | --check] [--jobs N]
faults *ARGS: setup
    @python -m tests.measure.faults {{ARGS}}

# on a machine with a GPU: its tests, then the engine against torch and the card's own limits
gpu *ARGS:
    -@pytest tests/gpu tests/edge/engine/test_engine_contract.py -rs -s
    @python -m tests.measure.gpu {{ARGS}}

# write docs/event.schema.json from the code
schema: setup
    python -m edge.events.schema > docs/event.schema.json
