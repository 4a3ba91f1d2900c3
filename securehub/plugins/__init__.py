"""
Where services are found. Another distribution adds one by a module in a directory of this name, without an C{__init__.py}.
"""

from twisted.plugin import pluginPackagePaths

__path__.extend(pluginPackagePaths(__name__))
__all__: list[str] = []
