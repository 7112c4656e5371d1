"""The wire side of the sandbox: TDS 7.4 over asyncio, from the socket up to the engine's interface.

Packets, PRELOGIN, LOGIN7, the TLS tunnel and the common tokens come from the PyPI package ``pysqlbridge``; this
package adds the session: types in both directions, remote procedure calls, attention, streaming and faults.
"""
