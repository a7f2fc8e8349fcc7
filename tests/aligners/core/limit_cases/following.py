"""A recording that is followed as it plays."""

from mmcli.aligners.live import follower
from tests.aligners.core.limit_cases.case import near

near("LIVE_STRANGE", follower.is_strange, 0.55, 0.70)
near("LIVE_PROVEN", follower.is_proven, 0.50, 0.60, (True, False))
