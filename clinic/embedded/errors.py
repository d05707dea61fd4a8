"""What can go wrong with embedded servers."""


class EmbeddedServersError(Exception):
    """A server could not be started; the message says why and what to do."""


class EmbeddedServersBusyError(EmbeddedServersError):
    """Another process runs the servers of this state folder."""
