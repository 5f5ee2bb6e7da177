"""The whole life of one change, on a server of its own, with both versions of an application live."""
