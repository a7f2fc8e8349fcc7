"""What the commands do as functions of Python, for scripts and notebooks: ``mmcli.align``, ``mmcli.extract``, ..."""
