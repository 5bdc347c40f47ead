"""Runs a command on a node over SSH, as root, with keys and known host keys alone."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from ventoy_kit.edge.node_probe import _SSH, _SSH_FAILED
from ventoy_kit.errors import MachineError
from ventoy_kit.ports import FedProcess


class NoConnectionError(MachineError):
    """SSH did not get as far as the command, or the connection broke."""


def run_on(
    process: FedProcess, address: str, command: Sequence[str], *, timeout: float, text: str = ""
) -> tuple[int, str, str]:
    """Run a command on a node; exit code, stdout, stderr.

    Args:
        process: starts programs.
        address: the node's address; root logs in.
        command: program and arguments, quoted for the node's shell here.
        timeout: seconds.
        text: its standard input; the only way for a secret, since arguments can be seen by everybody on both machines.

    Raises:
        NoConnectionError: no connection, or no such host key; or it ended while the command ran.
        MachineError: it did not end in time, or ssh is missing.
    """
    destination = f"root@{address}"
    argv = (*_SSH, destination, shlex.join(command))
    code, out, err = process.run(argv, timeout=timeout, input=text)
    if code == _SSH_FAILED:
        said = next((line.strip() for line in reversed(err.splitlines()) if line.strip()), "no reason given")
        raise NoConnectionError(f"no SSH connection to {destination}: {said}", _hint(err, destination))
    return code, out, err


def _hint(err: str, destination: str) -> str:
    if "host key" in err.lower():
        return (
            f"Log in once with `ssh {destination}`, compare the host key, and accept it; a node that was installed "
            "anew has a new one."
        )
    if "Permission denied" in err:
        return (
            "Put your public key into root's authorized_keys on the node, and load your key into ssh-agent."
        )
    return f"Try `ssh {destination}` by hand."
