"""The configuration: its keys, its values, their reader, and the YAML document that gives each complaint its line."""

from gitops_promotion.core.config.applications import ApplicationSettings
from gitops_promotion.core.config.configuration import DEFAULT_TIMEOUT, Config, MergeMethod
from gitops_promotion.core.config.reader import FILE, KEYS, parse

__all__ = ["DEFAULT_TIMEOUT", "FILE", "KEYS", "ApplicationSettings", "Config", "MergeMethod", "parse"]
