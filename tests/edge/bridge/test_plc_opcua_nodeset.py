"""Where `draem bridge opcua` has the nodeset of OPC 40100-1 from."""

from pathlib import Path

import pytest

from edge.bridge.feed import BridgeError
from edge.bridge.protocols import opcua_nodeset
from edge.bridge.protocols.opcua_nodeset import IDS, TYPES, read_nodeset
from tests.edge.bridge.conftest import Mistaken

OTHER = """<UANodeSet xmlns="http://opcfoundation.org/UA/2011/03/UANodeSet.xsd"><Models>
<Model ModelUri="http://opcfoundation.org/UA/DI/"/></Models></UANodeSet>"""


def test_opcua_nodeset_of_the_package_has_the_ids_of_the_standard(tmp_path: Path) -> None:
    text = read_nodeset(None)
    for name, number in {**TYPES, **IDS}.items():
        assert f'NodeId="ns=1;i={number}" BrowseName="1:{name}"' in text
    named = tmp_path / "Opc.Ua.MachineVision.NodeSet2.xml"
    named.write_text(text)
    assert read_nodeset(named) == text


def test_opcua_nodeset_that_is_none_is_refused_in_one_line(
    tmp_path: Path, mistaken: Mistaken
) -> None:
    rubbish, other = tmp_path / "rubbish.xml", tmp_path / "other.xml"
    rubbish.write_text("nothing")
    other.write_text(OTHER)
    for path, says in (
        (rubbish, "rubbish.xml cannot be read as a nodeset"),
        (tmp_path / "none.xml", "No such file"),
        (other, "other.xml is not the nodeset of http://opcfoundation.org/UA/MachineVision"),
    ):
        said = mistaken("opcua", "--nodeset", str(path))
        assert says in said
        assert "or leave --nodeset out" in said


def test_opcua_without_the_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opcua_nodeset, "PACKAGE", "no_such_package")
    with pytest.raises(BridgeError, match=r"pip install 'draem\[opcua\]', or give --nodeset FILE"):
        read_nodeset(None)
