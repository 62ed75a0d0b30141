"""The settings that ship: what the compiled library sets when it is loaded, in words."""

from heapster.impl.layout import DEFAULT_CACHE, DEFAULT_KEEP, DEFAULT_POLICY
from heapster.model.placement import POLICY_NAMES

SHIPPED = (f"{POLICY_NAMES[DEFAULT_POLICY]}, {DEFAULT_CACHE} bytes of a size in a cache, {DEFAULT_KEEP} bytes of freed "
           "mappings kept")
