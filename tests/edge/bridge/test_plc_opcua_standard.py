"""OPC 40100-1 over `draem bridge opcua`, seen by a client of another vendor that knows it alone."""

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from edge.bridge.line_requests import Failure
from tests.support.bridge.opcua import Bridge, listening

CLIENT = Path(__file__).parents[2] / "support/bridge/opcua_client"
BAD_STATE, GOOD = "BadInvalidState", "Good"


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What node-opcua-client has seen of a simulated line: client.js says what it does."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: apt-get install nodejs npm")
    if not (CLIENT / "node_modules/node-opcua-client").is_dir():
        pytest.skip(f"node-opcua-client is not installed: npm install --prefix {CLIENT}")
    folder = tmp_path_factory.mktemp("opcua")
    bridge = Bridge(folder, "--recipe", "1=simulated", "--recipe", "2=lid")
    asyncio.run(listening(bridge.port))
    home = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}  # for the client's certificate
    done = subprocess.run(
        [node, "client.js", bridge.url, "2"],
        cwd=CLIENT, capture_output=True, text=True, timeout=120, env={**os.environ, **home},
    )  # fmt: skip
    said = bridge.close()
    assert done.returncode == 0, done.stderr + said
    assert "Traceback" not in said
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_opcua_client_finds_the_system_by_its_type(seen: dict[str, Any]) -> None:
    assert seen["system"] == "VisionSystem"
    assert (seen["state"], seen["stateId"]) == ("Operational", "ns=3;i=5031")
    assert seen["servers"][0].endswith(":draem:station-1")


def test_opcua_client_stops_and_starts_and_gets_the_results_of_its_job(
    seen: dict[str, Any],
) -> None:
    assert seen["startedTwice"]["status"] == BAD_STATE
    assert seen["wrongType"]["status"] == "BadInvalidArgument"
    assert seen["stop"] == {"status": GOOD, "out": [0]}
    job, error = seen["start"]["out"]
    assert error == 0
    ids = [int(one["ResultId"]["id"]) for one in seen["results"]]
    assert ids == sorted(set(ids))
    for one in seen["results"]:
        assert one["JobId"] == job
        assert one["MeasId"] == {"id": "shift-7"}
        assert one["InternalRecipeId"] == {"id": "simulated"}
        assert (one["ResultState"], one["IsSimulated"]) == (1, True)
        content = {pair["key"]["name"]: pair["value"]["value"] for pair in one["ResultContent"]}
        assert content["Verdict"] == ("OK" if content["Score"] < 0.5 else "NG")
        assert one["PartId"]["id"] == f"part-{content['TriggerId'][1]}"


def test_opcua_client_fetches_results_by_id_and_by_filter(seen: dict[str, Any]) -> None:
    first = seen["results"][0]
    _, result, error = seen["byId"]["out"]
    assert error == 0
    assert (result["resultId"], result["jobId"]) == (first["ResultId"], first["JobId"])
    assert len(result["resultContent"]) == len(first["ResultContent"])
    parts = seen["components"]["out"]
    assert (parts[6], parts[12], parts[-1]) == (first["PartId"], first["JobId"], 0)
    assert seen["unknown"]["out"] == [0, None, -Failure.UNKNOWN]
    complete, count, _, found, error = seen["list"]["out"]
    assert (complete, count, error) == (False, 3, 0)
    assert [one["measId"]["id"] for one in found] == ["shift-7"] * 3


def test_opcua_client_lists_and_changes_recipes(seen: dict[str, Any]) -> None:
    names = [{"id": "simulated"}, {"id": "lid"}]
    assert seen["recipes"]["out"] == [True, 2, 0, names, 0]
    assert seen["prepare"]["out"][0] == {"id": "lid"}
    assert seen["prepared"] == [{"ExternalId": {"id": "2"}, "InternalId": {"id": "lid"}}]
    assert seen["preparedRecipes"]["out"] == [True, 1, 0, [{"id": "lid"}], 0]
    assert seen["unprepare"]["out"] == [{"id": ""}, -Failure.REFUSED]


def test_opcua_client_sees_each_transition(seen: dict[str, Any]) -> None:
    assert seen["halt"]["out"] == seen["reset"]["out"] == [0]
    assert seen["halted"] == ["Halted", "BadStateNotActive"]
    names = iter(one["text"] for one in seen["transitions"])
    for name in (  # in this order; on a busy machine the line is silent in between
        "ContinuousExecutionToReadyStop",
        "ReadyToContinuousExecution",
        "OperationalToHalted",
        "HaltedToPreoperational",
        "PreoperationalToOperationalAuto",
        "InitializedToReadyAuto",
        "ReadyToContinuousExecutionAuto",
    ):
        assert name in names
