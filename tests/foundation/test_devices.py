import torch
from packaging.version import Version

from herd.foundation import available_cores, default_device, describe_environment, detect_hardware


def test_the_default_device_takes_a_tensor() -> None:
    assert torch.ones(2, device=default_device()).sum().item() == 2


def test_hardware_is_described_in_one_line() -> None:
    hardware = detect_hardware()
    assert hardware.cores == available_cores() >= 1
    assert hardware.memory_bytes > 2**28
    assert hardware.cpu in str(hardware)
    assert "\n" not in str(hardware)


def test_the_environment_names_the_versions_that_are_installed() -> None:
    # Of a build for GPUs only torch itself says which: 2.13.0+cu130, and its package 2.13.0.
    named = Version(describe_environment()["versions"]["torch"])
    assert named.public == Version(torch.__version__).public
