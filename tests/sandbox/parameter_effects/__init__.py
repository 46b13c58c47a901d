"""What each published parameter changes: sent to the sandbox, and looked for in what it answers.

`scenes.txt` has the calls, each in one or more situations; `engine` sends every parameter in them.
"""
