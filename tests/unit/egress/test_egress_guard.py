"""The guard tells public from not public, in every spelling."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chathooks.egress.guard import TargetPolicy, TargetRefused, judge_address, parse_target

PUBLIC_ONLY = TargetPolicy()
WITH_HTTP = TargetPolicy(allow_http=True)

PUBLIC = (
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.1",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001:81b::200e",
    "2400:cb00::1",
    "2001:4860:4860::8888",
    "2003::1",
)

REFUSED = {
    "0.0.0.0": "an unspecified address",
    "0.1.2.3": "an unspecified address",
    "10.0.0.1": "a private address",
    "100.64.0.1": "a carrier-grade NAT address",
    "100.100.100.200": "a cloud metadata address",
    "127.0.0.1": "a loopback address",
    "127.255.255.254": "a loopback address",
    "168.63.129.16": "a cloud metadata address",
    "169.254.0.1": "a link-local address",
    "169.254.169.254": "a cloud metadata address",
    "169.254.170.2": "a cloud metadata address",
    "172.16.0.1": "a private address",
    "172.31.255.255": "a private address",
    "192.0.0.1": "a reserved address",
    "192.0.0.192": "a cloud metadata address",
    "192.0.2.1": "a documentation address",
    "192.88.99.1": "a 6to4 relay address",
    "192.168.1.1": "a private address",
    "198.18.0.1": "a benchmarking address",
    "198.19.255.255": "a benchmarking address",
    "198.51.100.1": "a documentation address",
    "203.0.113.1": "a documentation address",
    "224.0.0.1": "a multicast address",
    "239.255.255.255": "a multicast address",
    "240.0.0.1": "a reserved address",
    "255.255.255.255": "a reserved address",
    "::": "an unspecified address",
    "::1": "a loopback address",
    "::8.8.8.8": "an IPv4-compatible address",
    "::ffff:8.8.8.8": "an IPv4-mapped address",
    "::ffff:127.0.0.1": "an IPv4-mapped address",
    "::ffff:0:8.8.8.8": "an IPv4-translated address",
    "64:ff9b::7f00:1": "a NAT64 address",
    "64:ff9b:1::1": "a NAT64 address",
    "100::1": "a discard-only address",
    "2001::1": "a Teredo address",
    "2001:2::1": "a benchmarking address",
    "2001:10::1": "a reserved address",
    "2001:20::1": "a reserved address",
    "2001:db8::1": "a documentation address",
    "2002:7f00:1::": "a 6to4 address",
    "3ffe::1": "a reserved address",
    "3fff::1": "a documentation address",
    "5f00::1": "an SRv6 segment address",
    "4000::1": "a reserved address",
    "fc00::1": "a unique local address",
    "fd00::1": "a unique local address",
    "fd00:ec2::254": "a cloud metadata address",
    "fe80::1": "a link-local address",
    "fe80::1%eth0": "an address with a zone",
    "fec0::1": "a site-local address",
    "ff02::1": "a multicast address",
    "2606:4700::5efe:10.0.0.1": "an ISATAP address",
    "localhost": "not an IP address",
    "": "not an IP address",
}


@pytest.mark.parametrize("ip", PUBLIC)
def test_a_public_address_passes(ip: str) -> None:
    assert judge_address(ip, PUBLIC_ONLY) is None


@pytest.mark.parametrize(("ip", "reason"), REFUSED.items())
def test_an_address_that_is_not_public_is_refused_by_its_name(ip: str, reason: str) -> None:
    assert judge_address(ip, PUBLIC_ONLY) == reason


@given(st.ip_addresses())
def test_whatever_passes_is_global_for_the_standard_library_too(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if judge_address(str(address), PUBLIC_ONLY) is None:
        assert address.is_global
        assert not address.is_multicast


def test_the_operators_networks_win_over_every_rule() -> None:
    policy = TargetPolicy.of(["10.1.0.0/16", " fd00:ec2::/32"])
    assert judge_address("10.1.2.3", policy) is None
    assert judge_address("fd00:ec2::254", policy) is None
    assert judge_address("10.2.0.1", policy) == "a private address"
    assert judge_address("::ffff:10.1.2.3", policy) == "an IPv4-mapped address"


def test_a_verdict_belongs_to_its_policy() -> None:
    assert judge_address("10.1.2.3", TargetPolicy.of(["10.0.0.0/8"])) is None
    assert judge_address("10.1.2.3", PUBLIC_ONLY) is not None


def test_a_network_that_is_none_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="10"):
        TargetPolicy.of(["10.0.0.0/33"])


ACCEPTED = {
    "https://example.com": "https://example.com:443/",
    "https://example.com/": "https://example.com:443/",
    "HTTPS://EXAMPLE.com:443/Hook?A=b": "https://example.com:443/Hook?A=b",
    "https://example.com:8443/a/../b": "https://example.com:8443/a/../b",
    "https://example.com?x=1": "https://example.com:443/?x=1",
    "https://example.com:/a": "https://example.com:443/a",
    "https://example.com./a": "https://example.com:443/a",
    "https://my_host.example.com/a": "https://my_host.example.com:443/a",
    "https://bücher.example/a": "https://xn--bcher-kva.example:443/a",
    "https://xn--bcher-kva.example/a": "https://xn--bcher-kva.example:443/a",
    "https://example.com/é": "https://example.com:443/%C3%A9",
    "https://example.com/%41": "https://example.com:443/%41",
    "https://example.com/user@host": "https://example.com:443/user@host",
    "https://1.1.1.1/a": "https://1.1.1.1:443/a",
    "https://[2606:4700:4700:0::1111]:65535/": "https://[2606:4700:4700::1111]:65535/",
    "https://3com.example/": "https://3com.example:443/",
}


@pytest.mark.parametrize(("url", "rebuilt"), ACCEPTED.items())
def test_an_acceptable_url_is_rebuilt_from_its_parts(url: str, rebuilt: str) -> None:
    assert parse_target(url, PUBLIC_ONLY).url == rebuilt


BROKEN_RULES = {
    "": "url",
    "example.com/a": "url",
    "//example.com/a": "url",
    "https:/example.com": "url",
    "https:example.com": "url",
    "https://": "host",
    "https:///a": "host",
    "https://:443/": "host",
    "https://?x": "host",
    "https://" + "a" * 250 + ".example": "length",
    "ftp://example.com/": "scheme",
    "file:///etc/passwd": "scheme",
    "gopher://example.com/": "scheme",
    "http://example.com/": "scheme",
    "https://user@example.com/": "credentials",
    "https://user:pass@example.com/": "credentials",
    "https://@example.com/": "credentials",
    "https://example.com@127.0.0.1/": "credentials",
    "https://example.com#@127.0.0.1/": "fragment",
    "https://example.com/#": "fragment",
    "https://example.com:80/": "port",
    "https://example.com:22/": "port",
    "https://example.com:0/": "port",
    "https://example.com:1023/": "port",
    "https://example.com:65536/": "port",
    "https://example.com:4a3/": "port",
    "https://example.com:-443/": "port",
    "https://example.com:٤٤٣/": "port",
    "https://example.com:443:443/": "port",
    "https://exam ple.com/": "characters",
    "https://example.com/a b": "characters",
    " https://example.com/": "characters",
    "https://example.com/\r\nX: y": "characters",
    "https://example.com/\x00": "characters",
    "https://example.com\t/": "characters",
    "https://example\u200b.com/": "characters",
    "https://example.com\\@127.0.0.1/": "characters",
    "https:\\\\example.com\\": "characters",
    "https://example.com/\ud800": "characters",
    "https://example%2ecom/": "host",
    "https://%31%32%37.0.0.1/": "address_form",
    "https://exa$mple.com/": "host",
    "https://-example.com/": "host",
    "https://example-.com/": "host",
    "https://example..com/": "host",
    "https://.example.com/": "host",
    "https://example.com../": "host",
    "https://" + "a" * 64 + ".example/": "host",
    "https://[::1/": "host",
    "https://[::g]/": "host",
    "https://[v1.a]/": "host",
    "https://[2606:4700::1]x/": "host",
    "https://[2606:4700::1]@x/": "credentials",
    "https://[fe80::1%25eth0]/": "address",
    "https://256.256.256.256/": "host",
    "https://127.0.0.1/": "address",
    "https://127.0.0.1./": "address",
    "https://127.1/": "address_form",
    "https://0x7f.1/": "address_form",
    "https://2130706433/": "address_form",
    "https://017700000001/": "address_form",
    "https://0177.0.0.1/": "address_form",
    "https://8.8.8.08/": "address_form",
    "https://0x/": "address_form",
    "https://foo.0x1/": "address_form",
    "https://１２７.0.0.1/": "address_form",
    "https://127。0。0。1/": "address_form",
    "https://⑧.8.8.8/": "address_form",
    "https://faß.de/": "idna",
    "https://\u06dd.example/": "idna",
    "https://localhost/": "localhost",
    "https://LOCALHOST./": "localhost",
    "https://a.localhost/": "localhost",
    "https://printer.local/": "private_name",
    "https://metadata.google.internal/": "private_name",
    "https://internal/": "private_name",
    "https://intranet/": "private_name",
}


@pytest.mark.parametrize(("url", "rule"), BROKEN_RULES.items())
def test_a_url_that_breaks_a_rule_is_refused_naming_it(url: str, rule: str) -> None:
    with pytest.raises(TargetRefused) as refused:
        parse_target(url, PUBLIC_ONLY)
    assert refused.value.rule == rule
    assert refused.value.message.endswith(".")


def test_http_and_port_80_pass_only_where_the_operator_allows_http() -> None:
    assert parse_target("http://example.com/a", WITH_HTTP).url == "http://example.com:80/a"
    assert parse_target("http://example.com:8080/", WITH_HTTP).port == 8080
    with pytest.raises(TargetRefused, match="port"):
        parse_target("http://example.com:81/", WITH_HTTP)


def test_local_names_pass_only_with_a_network_that_fits_them() -> None:
    loopback = TargetPolicy.of(["127.0.0.1/32"])
    private = TargetPolicy.of(["10.0.0.0/8"])
    public = TargetPolicy.of(["8.8.8.0/24"])
    assert parse_target("https://a.localhost/", loopback).host == "a.localhost"
    assert parse_target("https://printer.local/", loopback).host == "printer.local"
    assert parse_target("https://receiver/", private).host == "receiver"
    with pytest.raises(TargetRefused, match="localhost"):
        parse_target("https://localhost/", private)
    with pytest.raises(TargetRefused, match="public host"):
        parse_target("https://printer.local/", public)


def test_a_url_of_exactly_255_characters_is_accepted() -> None:
    url = "https://example.com/"
    url += "a" * (255 - len(url))
    assert parse_target(url, PUBLIC_ONLY).path.endswith("a")
    with pytest.raises(TargetRefused, match="255"):
        parse_target(url + "a", PUBLIC_ONLY)


@given(st.text(max_size=80))
def test_any_text_after_the_scheme_is_judged_or_refused(text: str) -> None:
    try:
        target = parse_target(f"https://{text}", PUBLIC_ONLY)
    except TargetRefused:
        return
    assert target.url.isascii()
    assert target.url.startswith(f"https://{target.pin}/")
    assert "@" not in target.pin
    assert target.host == target.host.lower()
