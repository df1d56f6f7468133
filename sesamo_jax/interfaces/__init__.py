"""Samplers and samples in the terms of other libraries, each known by its file alone.

The libraries are imported when they are asked for; those that are not installed are
named with the extra of the package that brings them.
"""
