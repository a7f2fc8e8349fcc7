"""Sizes are read by one grammar, whichever option they are given to."""

from __future__ import annotations

import pytest

from mmcli.cli.options import size
from mmcli.errors import UsageError

MB = 10**6


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("300", 300),
        ("300B", 300),
        ("256MB", 256 * MB),
        ("256 MB", 256 * MB),
        ("500kB", 500_000),
        ("500KB", 500_000),
        ("1.5 GiB", 3 << 29),
        ("2G", 2 * 10**9),
        (" 64Mi ", 64 << 20),
    ],
)
def test_the_size_of_shards_counts_bytes(text, meant):
    assert size(text, "--shard-size", least=1) == meant


@pytest.mark.parametrize(
    ("text", "meant"),
    [("512", 512.0), ("512MB", 512.0), ("512 mb", 512.0), ("1GB", 1000.0), ("1.5gb", 1500.0), ("250KB", 0.25)],
)
def test_the_memory_of_a_run_counts_mb(text, meant):
    assert size(text, "--memory", unit=MB) == meant


@pytest.mark.parametrize("text", ["512M", "0.5GiB", "512000000B"])
def test_both_read_what_only_one_read_before(text):
    assert size(text, "--memory", unit=MB) * MB == size(text, "--shard-size")


@pytest.mark.parametrize("text", ["", "big", "-1MB", "1TB", "1 2MB", "1e3", "MB", ".5MB", "5i", "9" * 400])
def test_what_is_no_size_is_refused_with_the_option_and_an_example(text):
    with pytest.raises(UsageError, match=r"--memory .* is no size") as caught:
        size(text, "--memory", unit=MB)
    assert caught.value.hint == "for example --memory 256MB; a number alone means MB"


def test_less_than_the_least_is_refused():
    assert size("0", "--memory", unit=MB) == 0
    with pytest.raises(UsageError):
        size("0.5", "--shard-size", least=1)
