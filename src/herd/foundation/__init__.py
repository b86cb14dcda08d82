"""What every room stands on.

In: plain values and paths. Out: configs, run directories, logs, atomic files, devices, units, errors.
Never: a word about language models.
"""

from herd.foundation.cache import cache_directory
from herd.foundation.ceilings import (
    Ceilings,
    load_or_measure_ceilings,
    measure_and_save_ceilings,
    measure_ceilings,
)
from herd.foundation.collector import collector_paused
from herd.foundation.config import apply_override, from_dict, to_dict
from herd.foundation.devices import (
    Hardware,
    available_cores,
    default_device,
    detect_hardware,
    multiplies_bfloat16,
)
from herd.foundation.download import download
from herd.foundation.environment import describe_environment, git_commit, installed_version
from herd.foundation.errors import UserError, missing_library
from herd.foundation.files import (
    atomic_directory,
    atomic_file,
    explain_write_errors,
    read_json,
    remove_partials,
    sha256_file,
    write_json,
    write_text,
)
from herd.foundation.gguf_container import GGUF_MAGIC, GgufContainer, GgufTensor, read_gguf
from herd.foundation.mapped_file import map_file
from herd.foundation.metrics import MetricsLog, read_metrics, truncate_metrics
from herd.foundation.package_registry import fetch_distribution
from herd.foundation.page import Badge, PageSection, PageTable, render_page, render_sections
from herd.foundation.page_figure import (
    BAD,
    CALM,
    CARD,
    FIRST,
    GOOD,
    INK,
    SECOND,
    SOFT,
    WARN,
    PageFigure,
    page_svg,
    printable,
    style_axes,
    style_legend,
    thinned,
)
from herd.foundation.pip_settings import PipSettings
from herd.foundation.progress import Progress, progress_bar
from herd.foundation.python_file import load_python_file
from herd.foundation.run_directory import RunDirectory
from herd.foundation.units import format_bytes, format_count, format_seconds

__all__ = [
    "BAD",
    "Badge",
    "CALM",
    "CARD",
    "Ceilings",
    "FIRST",
    "GGUF_MAGIC",
    "GOOD",
    "GgufContainer",
    "GgufTensor",
    "Hardware",
    "INK",
    "MetricsLog",
    "PageFigure",
    "PageSection",
    "PageTable",
    "PipSettings",
    "Progress",
    "RunDirectory",
    "SECOND",
    "SOFT",
    "UserError",
    "WARN",
    "apply_override",
    "atomic_directory",
    "atomic_file",
    "available_cores",
    "cache_directory",
    "collector_paused",
    "default_device",
    "describe_environment",
    "detect_hardware",
    "download",
    "explain_write_errors",
    "fetch_distribution",
    "format_bytes",
    "format_count",
    "format_seconds",
    "from_dict",
    "git_commit",
    "installed_version",
    "load_or_measure_ceilings",
    "load_python_file",
    "map_file",
    "measure_and_save_ceilings",
    "measure_ceilings",
    "missing_library",
    "multiplies_bfloat16",
    "page_svg",
    "printable",
    "progress_bar",
    "read_gguf",
    "read_json",
    "read_metrics",
    "remove_partials",
    "render_page",
    "render_sections",
    "sha256_file",
    "style_axes",
    "style_legend",
    "thinned",
    "to_dict",
    "truncate_metrics",
    "write_json",
    "write_text",
]
