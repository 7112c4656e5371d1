from __future__ import annotations

import pytest

from airflow_provider_elasticjobs.connections.addresses import Address, parse_address, parse_host_map
from airflow_provider_elasticjobs.exceptions import ConnectionSettingsError


@pytest.mark.parametrize(
    ("text", "host", "port", "keyword"),
    [
        ("s.database.windows.net", "s.database.windows.net", None, "tcp:s.database.windows.net,1433"),
        ("s,14330", "s", 14330, "tcp:s,14330"),
        ("tcp:s , 14330 ", "s", 14330, "tcp:s,14330"),
        ("s:14330", "s", 14330, "tcp:s,14330"),
        ("::1", "::1", None, "tcp:::1,1433"),
        ("::1,14330", "::1", 14330, "tcp:::1,14330"),
        (r"s\INST", r"s\INST", None, r"s\INST"),
        (r"s\INST,1500", r"s\INST", 1500, r"tcp:s\INST,1500"),
    ],
)
def test_every_usual_way_of_writing_an_address(text: str, host: str, port: int | None, keyword: str) -> None:
    address = parse_address(text)
    assert address == Address(host, port)
    assert address.keyword() == keyword


@pytest.mark.parametrize("text", ["", " ", ",1433", "s,", "s,abc", "s,0", "s,65536", "s,-1", "s:x"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConnectionSettingsError):
        parse_address(text)


@pytest.mark.parametrize(
    "value",
    [
        {"A.database.windows.net": "10.0.0.5,1444", "b": "10.0.0.6"},
        "A.database.windows.net = 10.0.0.5,1444\n\n b=10.0.0.6 \n",
        "A.database.windows.net=10.0.0.5,1444;b=10.0.0.6",
    ],
)
def test_a_host_map_is_an_object_or_lines(value: object) -> None:
    assert parse_host_map(value) == {"a.database.windows.net": Address("10.0.0.5", 1444), "b": Address("10.0.0.6")}


@pytest.mark.parametrize("value", [None, "", {}, "  \n"])
def test_an_empty_host_map_maps_nothing(value: object) -> None:
    assert parse_host_map(value) == {}


@pytest.mark.parametrize("value", ["a", "a=", "=b", "a=b,x", ["a=b"], 7])
def test_a_host_map_of_another_form_is_refused(value: object) -> None:
    with pytest.raises(ConnectionSettingsError):
        parse_host_map(value)
