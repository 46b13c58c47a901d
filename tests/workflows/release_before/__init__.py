"""Workflow code as an earlier release had it, kept unchanged: runs that it began must go on.

Don't mend anything here. When commands change again, put the code before that change beside it.
"""
