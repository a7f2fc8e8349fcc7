"""Small made inputs near each limit of mmcli.aligners.core.limits, a file for each room that decides by them."""
